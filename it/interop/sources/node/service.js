// The services of gRPC's interop cases, from their published files.
'use strict';
const path = require('path');
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const files = { keepCase: true, defaults: true, longs: Number, includeDirs: [path.join(__dirname, '..', 'protos')] };

exports.testing = grpc.loadPackageDefinition(loader.loadSync('grpc/testing/test.proto', files)).grpc.testing;
exports.INITIAL = 'x-grpc-test-echo-initial';
exports.TRAILING = 'x-grpc-test-echo-trailing-bin';
exports.LIMITS = { 'grpc.max_receive_message_length': 64 << 20, 'grpc.max_send_message_length': 64 << 20 };
