// Calls of gRPC-Web by two clients that are not ours (Google's for browsers, Connect's) at a gateway of Tulle, to a server of
// gRPC that is not ours (grpc-js). Usage: node calls.js WORDS…, the words that start the gateway but for its server's port;
// it prints "listening on PORT".
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { create, createFileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, file_google_protobuf_wrappers } from "@bufbuild/protobuf/wkt";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-node";
import grpc from "@grpc/grpc-js";
import web from "grpc-web";
import xhr from "xhr2";

globalThis.XMLHttpRequest = xhr.XMLHttpRequest ?? xhr;
const SERVICE = "talk.Talk";
const LONG = "long ".repeat(20000);

/** google.protobuf.StringValue, by hand: field 1, a text. */
function written(text) {
  const bytes = Buffer.from(text);
  const length = [];
  for (let left = bytes.length; ; left >>>= 7) {
    length.push(left > 127 ? (left & 127) | 128 : left);
    if (left <= 127) break;
  }
  return bytes.length ? Buffer.concat([Buffer.from([10, ...length]), bytes]) : Buffer.alloc(0);
}

function read(bytes) {
  let at = 1;
  while (bytes[at] & 128) at++;
  return Buffer.from(bytes.slice(at + 1)).toString();
}

function failure(text) {
  const metadata = new grpc.Metadata();
  metadata.set("x-why", "asked");
  return { code: Number(text.slice(5)), details: "as asked: ü 100 %", metadata };
}

function serve() {
  const method = (path, responseStream) => ({
    path: `/${SERVICE}/${path}`, requestStream: false, responseStream,
    requestSerialize: written, responseSerialize: written, responseDeserialize: read,
    // Not the text itself: grpc-js takes an empty one for no message.
    requestDeserialize: (bytes) => ({ text: read(bytes) }),
  });
  const server = new grpc.Server();
  server.addService({ Say: method("Say", false), Count: method("Count", true) }, {
    Say: ({ request: { text } }, done) => (text.startsWith("fail ") ? done(failure(text)) : done(null, text)),
    Count: (call) => {
      for (let i = 0; i < Number(call.request.text); i++) call.write(`number ${i}`);
      call.end();
    },
  });
  return new Promise((done, failed) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
      error ? failed(error) : done([server, port])));
}

/** Google's client, which speaks HTTP/1.1 here. */
function google(base, format) {
  const client = new web.GrpcWebClientBase({ format, suppressCorsPreflight: false });
  const method = (name, kind) =>
    new web.MethodDescriptor(`/${SERVICE}/${name}`, kind, Object, Object, (text) => new Uint8Array(written(text)), read);
  const say = (text) => new Promise((done, failed) =>
    client.rpcCall(`${base}/${SERVICE}/Say`, text, {}, method("Say", "unary"), (error, got) =>
      error ? failed(error) : done(got)));
  const count = (n) => new Promise((done, failed) => {
    const got = [];
    const stream = client.serverStreaming(`${base}/${SERVICE}/Count`, `${n}`, {}, method("Count", "server_streaming"));
    stream.on("data", (text) => got.push(text));
    stream.on("error", failed);
    stream.on("end", () => done(got));
  });
  return { say, count, status: (error) => [error.code, error.message, error.metadata?.["x-why"]] };
}

/** Connect's client, by a description of the service made here. */
function connect(base, httpVersion) {
  const value = ".google.protobuf.StringValue";
  const described = create(FileDescriptorProtoSchema, {
    name: "talk.proto", package: "talk", syntax: "proto3", dependency: ["google/protobuf/wrappers.proto"],
    service: [{ name: "Talk", method: [
      { name: "Say", inputType: value, outputType: value },
      { name: "Count", inputType: value, outputType: value, serverStreaming: true }] }],
  });
  const service = createFileRegistry(described, () => file_google_protobuf_wrappers).getService(SERVICE);
  const client = createClient(service, createGrpcWebTransport({ baseUrl: base, httpVersion }));
  const say = async (text) => (await client.say({ value: text })).value;
  const count = async (n) => {
    const got = [];
    for await (const one of client.count({ value: `${n}` })) got.push(one.value);
    return got;
  };
  return { say, count, status: (error) => [error.code, error.rawMessage, error.metadata.get("x-why")] };
}

function gateway(words, port) {
  const process = spawn(words[0], [...words.slice(1), `${port}`], { stdio: ["ignore", "pipe", "inherit"] });
  return new Promise((done, failed) => {
    process.on("exit", (status) => failed(new Error(`the gateway ended with status ${status}`)));
    createInterface(process.stdout).on("line", (line) => {
      const found = /^listening on (\d+)$/.exec(line);
      if (found) done([process, `http://127.0.0.1:${found[1]}`]);
    });
  });
}

let passed = 0;
let failed = 0;

async function check(name, wanted, work) {
  let found;
  try {
    found = await work();
  } catch (error) {
    found = `${error}`;
  }
  const same = JSON.stringify(found) === JSON.stringify(wanted);
  same ? passed++ : failed++;
  if (!same) console.log(`not ok ${name}: ${JSON.stringify(found)?.slice(0, 300)}`);
}

async function caught(work, status) {
  try {
    return `no failure: ${await work()}`;
  } catch (error) {
    return status(error);
  }
}

const [server, port] = await serve();
const [process_, base] = await gateway(process.argv.slice(2), port);
const clients = {
  "grpc-web binary": google(base, "binary"),
  "grpc-web text": google(base, "text"),
  "connect over HTTP/1.1": connect(base, "1.1"),
  "connect over HTTP/2": connect(base, "2"),
};
const numbers = Array.from({ length: 1000 }, (_, i) => `number ${i}`);
for (const [name, client] of Object.entries(clients)) {
  await check(`${name}: unary`, "hello", () => client.say("hello"));
  await check(`${name}: a long message`, LONG, () => client.say(LONG));
  await check(`${name}: an empty message`, "", () => client.say(""));
  await check(`${name}: a failure`, [Code.FailedPrecondition, "as asked: ü 100 %", "asked"],
    () => caught(() => client.say("fail 9"), client.status));
  if (name !== "grpc-web binary") {
    // Google's client reads streams in text only.
    await check(`${name}: a stream`, numbers, () => client.count(1000));
    await check(`${name}: an empty stream`, [], () => client.count(0));
  }
}
process_.removeAllListeners("exit");
process_.kill();
server.forceShutdown();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
