// The server of gRPC's interop cases in Node.
'use strict';
const grpc = require('@grpc/grpc-js');
const { testing, INITIAL, TRAILING, LIMITS } = require('./service');

function metadataOf(call, name) {
  const found = new grpc.Metadata();
  for (const value of call.metadata.get(name)) found.add(name, value);
  return found;
}

// Says of a named call how much time it had when it came, and whether it was given up before it was over.
function see(call) {
  const [name] = call.metadata.get('x-seen');
  const deadline = call.getDeadline();
  const left = deadline === Infinity ? 'none' : Math.round(deadline - Date.now());
  let open = name !== undefined;
  const say = (ended) => {
    if (open) console.log(`seen ${name} deadline=${left} ended=${ended}`);
    open = false;
  };
  call.on('cancelled', () => say('cancelled'));
  return () => say('ok');
}

function begin(call) {
  const initial = metadataOf(call, INITIAL);
  if (initial.get(INITIAL).length) call.sendMetadata(initial);
  return see(call);
}

const payload = (size) => ({ type: 'COMPRESSABLE', body: Buffer.alloc(size) });

function refusal(request) {
  const status = request.response_status;
  return status && status.code ? { code: status.code, details: status.message } : null;
}

function unaryCall(call, done) {
  const over = begin(call);
  const trailer = metadataOf(call, TRAILING);
  const failure = refusal(call.request);
  if (failure) done({ ...failure, metadata: trailer });
  else done(null, { payload: payload(call.request.response_size) }, trailer);
  over();
}

function pause(microseconds) {
  return microseconds ? new Promise((done) => { setTimeout(done, microseconds / 1000); }) : null;
}

async function answer(call, request) {
  for (const { size, interval_us: wait } of request.response_parameters) {
    await pause(wait);
    if (!call.cancelled) call.write({ payload: payload(size) });
  }
}

function fullDuplexCall(call) {
  const over = begin(call);
  const trailer = metadataOf(call, TRAILING);
  let last = Promise.resolve();
  let failed = false;
  call.on('data', (request) => {
    last = last.then(async () => {
      const failure = refusal(request);
      if (failure && !failed) {
        failed = true;
        call.emit('error', { ...failure, metadata: trailer });
        over();
      }
      if (!failed) await answer(call, request);
    });
  });
  call.on('end', () => {
    last = last.then(() => {
      if (failed || call.cancelled) return;
      call.end(trailer);
      over();
    });
  });
}

async function streamingOutputCall(call) {
  const over = begin(call);
  await answer(call, call.request);
  call.end(metadataOf(call, TRAILING));
  over();
}

function streamingInputCall(call, done) {
  const over = begin(call);
  let sum = 0;
  call.on('data', (request) => { sum += request.payload ? request.payload.body.length : 0; });
  call.on('end', () => {
    done(null, { aggregated_payload_size: sum }, metadataOf(call, TRAILING));
    over();
  });
}

exports.serve = (port) => {
  const server = new grpc.Server(LIMITS);
  server.addService(testing.TestService.service, {
    emptyCall: (call, done) => { const over = begin(call); done(null, {}, metadataOf(call, TRAILING)); over(); },
    unaryCall,
    cacheableUnaryCall: unaryCall,
    streamingOutputCall,
    streamingInputCall,
    fullDuplexCall,
  });
  server.bindAsync(`0.0.0.0:${port}`, grpc.ServerCredentials.createInsecure(), (error) => { if (error) throw error; });
};
