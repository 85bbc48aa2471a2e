// gRPC without a schema: messages as they are.
'use strict';
const grpc = require('@grpc/grpc-js');

const LARGEST = 16 << 20;
const LARGE = 4 << 20;
const OPTIONS = { 'grpc.max_receive_message_length': LARGEST, 'grpc.max_send_message_length': LARGEST };
const same = (data) => data;

function method(path, streams) {
  return {
    path, requestStream: streams, responseStream: streams,
    requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
  };
}

const ECHO = { one: method('/it.Echo/One', false), many: method('/it.Echo/Many', true) };

function grpcServe(port) {
  const server = new grpc.Server(OPTIONS);
  server.addService(ECHO, {
    one: (asked, done) => done(null, asked.request),
    many: (stream) => {
      stream.on('data', (message) => stream.write(message));
      stream.on('end', () => stream.end());
    },
  });
  server.bindAsync(`0.0.0.0:${port}`, grpc.ServerCredentials.createInsecure(), (error) => {
    if (error) throw error;
    if (server.start) server.start();
  });
}

async function call(host, port) {
  const Client = grpc.makeGenericClientConstructor(ECHO, 'Echo');
  const client = new Client(`${host}:${port}`, grpc.credentials.createInsecure(), OPTIONS);
  const deadline = () => ({ deadline: Date.now() + 12000 });
  const one = (size) => new Promise((done, failed) => {
    const question = Buffer.alloc(size, size % 251);
    client.one(question, deadline(), (error, got) => (error ? failed(error) : done(got.equals(question))));
  });
  const many = () => new Promise((done, failed) => {
    const stream = client.many(deadline());
    let said = 0;
    let right = 0;
    const question = () => Buffer.alloc(said * 1000, said);
    stream.on('error', failed);
    stream.on('data', (got) => {
      right += got.equals(question());
      if (++said < 100) stream.write(question());
      else stream.end();
    });
    stream.on('end', () => done(right));
    stream.write(question());
  });
  try {
    let right = 0;
    for (let i = 0; i < 100; i++) right += await one(i * 100);
    console.log(right, 'calls,', await many(), 'in a stream, large', await one(LARGE));
  } catch (error) {
    console.log('fails:', error.code);
  }
  client.close();
}

module.exports = { grpc: grpcServe, call };
