// The clients of gRPC's interop cases in Node. Each case has a connection of its own.
'use strict';
const assert = require('assert');
const grpc = require('@grpc/grpc-js');
const { testing, INITIAL, TRAILING, LIMITS } = require('./service');

const LIMIT = 30000; // milliseconds of one case
const GZIP = 2;
const REQUESTS = [27182, 8, 1828, 45904];
const RESPONSES = [31415, 9, 2653, 58979];
const WHITESPACE = '\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n';
const { CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, OK } = grpc.status;

const payload = (size) => ({ type: 'COMPRESSABLE', body: Buffer.alloc(size) });
const asking = (size) => ({ response_type: 'COMPRESSABLE', response_parameters: [{ size }], payload: payload(size) });

// A call that answers with one message: its answer, head, trailers and status.
function unary(start) {
  return new Promise((done) => {
    const seen = { head: new grpc.Metadata() };
    const call = start((error, answer) => { seen.answer = answer; });
    call.on('metadata', (head) => { seen.head = head; });
    call.on('status', (status) => done({ ...seen, status }));
    seen.call = call;
  });
}

// A call that answers with many: they are waited for one by one.
class Stream {
  constructor(call) {
    this.call = call;
    this.come = [];
    this.wanted = [];
    call.on('metadata', (head) => { this.head = head; });
    call.on('data', (message) => this.add({ message }));
    call.on('error', () => {}); // the status says it
    call.on('status', (status) => this.add({ status }));
  }

  add(event) {
    const waiting = this.wanted.shift();
    if (waiting) waiting(event);
    else this.come.push(event);
  }

  next() {
    return this.come.length ? Promise.resolve(this.come.shift()) : new Promise((done) => { this.wanted.push(done); });
  }

  async answer(size) {
    const { message, status } = await this.next();
    assert(message, `ended with ${status && status.code} ${status && status.details}`);
    assert.strictEqual(message.payload.body.length, size);
  }

  async ends(code) {
    const { status, message } = await this.next();
    assert(status, `a message of ${message && message.payload.body.length}`);
    assert.strictEqual(status.code, code, status.details);
    return status;
  }
}

function named(name) {
  const metadata = new grpc.Metadata();
  metadata.set('x-seen', name);
  return metadata;
}

async function largeUnary(client) {
  const { answer, status } = await unary((done) => client.unaryCall(
    { response_type: 'COMPRESSABLE', response_size: 314159, payload: payload(271828) }, done));
  assert.strictEqual(status.code, OK, status.details);
  assert.strictEqual(answer.payload.body.length, 314159);
}

async function emptyUnary(client) {
  const { status } = await unary((done) => client.emptyCall({}, done));
  assert.strictEqual(status.code, OK, status.details);
}

async function pingPong(client) {
  const stream = new Stream(client.fullDuplexCall());
  for (let i = 0; i < REQUESTS.length; i++) {
    stream.call.write({ ...asking(RESPONSES[i]), payload: payload(REQUESTS[i]) });
    await stream.answer(RESPONSES[i]);
  }
  stream.call.end();
  await stream.ends(OK);
}

function echoed(head, trailer) {
  assert.deepStrictEqual(head.get(INITIAL), ['test_initial_metadata_value']);
  assert.deepStrictEqual(trailer.get(TRAILING), [Buffer.from('0a0b0a0b0a0b', 'hex')]);
}

async function customMetadata(client) {
  const metadata = new grpc.Metadata();
  metadata.set(INITIAL, 'test_initial_metadata_value');
  metadata.set(TRAILING, Buffer.from('0a0b0a0b0a0b', 'hex'));
  const { head, status } = await unary((done) => client.unaryCall({ response_size: 1, payload: payload(1) }, metadata, done));
  assert.strictEqual(status.code, OK, status.details);
  echoed(head, status.metadata);
  const stream = new Stream(client.fullDuplexCall(metadata));
  stream.call.write(asking(1));
  await stream.answer(1);
  stream.call.end();
  echoed(stream.head, (await stream.ends(OK)).metadata);
}

async function statusAndMessage(client) {
  const wanted = { response_status: { code: UNKNOWN, message: 'test status message' } };
  const { status } = await unary((done) => client.unaryCall(wanted, done));
  assert.deepStrictEqual([status.code, status.details], [UNKNOWN, 'test status message']);
  const stream = new Stream(client.fullDuplexCall());
  stream.call.write(wanted);
  stream.call.end();
  assert.strictEqual((await stream.ends(UNKNOWN)).details, 'test status message');
}

// There is an answer, and the next one is late: the server is about it when the call ends.
async function opened(client, options, metadata = new grpc.Metadata()) {
  const stream = new Stream(client.fullDuplexCall(metadata, options));
  stream.call.write({ response_parameters: [{ size: 31415 }, { size: 1, interval_us: 60000000 }] });
  await stream.answer(31415);
  return stream;
}

const CASES = {
  empty_unary: emptyUnary,
  large_unary: largeUnary,
  client_streaming: async (client) => {
    const { answer, status } = await unary((done) => {
      const call = client.streamingInputCall(done);
      for (const size of REQUESTS) call.write({ payload: payload(size) });
      call.end();
      return call;
    });
    assert.strictEqual(status.code, OK, status.details);
    assert.strictEqual(answer.aggregated_payload_size, 74922);
  },
  server_streaming: async (client) => {
    const stream = new Stream(client.streamingOutputCall({ response_parameters: RESPONSES.map((size) => ({ size })) }));
    for (const size of RESPONSES) await stream.answer(size);
    await stream.ends(OK);
  },
  ping_pong: pingPong,
  empty_stream: async (client) => {
    const stream = new Stream(client.fullDuplexCall());
    stream.call.end();
    await stream.ends(OK);
  },
  timeout_on_sleeping_server: async (client) => {
    const stream = new Stream(client.fullDuplexCall(new grpc.Metadata(), { deadline: Date.now() + 1 }));
    stream.call.write({ payload: payload(27182) });
    await stream.ends(DEADLINE_EXCEEDED);
  },
  cancel_after_begin: async (client) => {
    const { status } = await unary((done) => {
      const call = client.streamingInputCall(done);
      setImmediate(() => call.cancel());
      return call;
    });
    assert.strictEqual(status.code, CANCELLED, status.details);
  },
  cancel_after_first_response: async (client) => {
    const stream = await opened(client, {});
    stream.call.cancel();
    await stream.ends(CANCELLED);
  },
  status_code_and_message: statusAndMessage,
  special_status_message: async (client) => {
    const { status } = await unary((done) => client.unaryCall({ response_status: { code: UNKNOWN, message: WHITESPACE } }, done));
    assert.deepStrictEqual([status.code, status.details], [UNKNOWN, WHITESPACE]);
  },
  unimplemented_method: async (client) => {
    const { status } = await unary((done) => client.unimplementedCall({}, done));
    assert.strictEqual(status.code, UNIMPLEMENTED, status.details);
  },
  unimplemented_service: async (client, address) => {
    const other = new testing.UnimplementedService(address, grpc.credentials.createInsecure());
    const { status } = await unary((done) => other.unimplementedCall({}, done));
    other.close();
    assert.strictEqual(status.code, UNIMPLEMENTED, status.details);
  },
  custom_metadata: customMetadata,
  gzip_unary: largeUnary,
  gzip_stream: pingPong,
  cancel_seen: async (client, address, name) => {
    const stream = await opened(client, {}, named(name));
    stream.call.cancel();
    await stream.ends(CANCELLED);
    // What has to go out for it goes out before the connection closes.
    await emptyUnary(client);
  },
  deadline_seen: async (client, address, name) => {
    const { status } = await unary((done) => client.unaryCall({}, named(name), { deadline: Date.now() + 30000 }, done));
    assert.strictEqual(status.code, OK, status.details);
  },
  deadline_ends: async (client, address, name) => {
    const stream = await opened(client, { deadline: Date.now() + 2000 }, named(name));
    await stream.ends(DEADLINE_EXCEEDED);
    await emptyUnary(client);
  },
};

exports.calls = async (host, port, name) => {
  const address = `${host}:${port}`;
  for (const [which, run] of Object.entries(CASES)) {
    const options = which.startsWith('gzip') ? { ...LIMITS, 'grpc.default_compression_algorithm': GZIP } : LIMITS;
    // A connection of its own, which grpc-js would otherwise share.
    const client = new testing.TestService(address, grpc.credentials.createInsecure(), { ...options, 'grpc.use_local_subchannel_pool': 1 });
    let timer;
    const late = new Promise((done, failed) => { timer = setTimeout(() => failed(new Error(`not within ${LIMIT} ms`)), LIMIT); });
    try {
      await Promise.race([run(client, address, `${name}.${which}`), late]);
      console.log('ok', which);
    } catch (error) {
      console.log(`not ok ${which}: ${String(error.message).replace(/\s+/g, ' ')}`);
    }
    clearTimeout(timer);
    client.close();
  }
  process.exit(0);
};
