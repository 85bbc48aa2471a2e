// The two ends in Node: node peer.js serve|lines|web|socket|grpc PORT [FILE], send|talk|fetch|chat|call HOST PORT [BYTES].
// The exchange is that of peer.py.
'use strict';
const { createHash } = require('crypto');
const net = require('net');

const ANSWER = 2000000;
const LINES = 200;

function pattern(size) {
  const out = Buffer.alloc(size);
  for (let i = 0; i < size; i++) out[i] = i % 251;
  return out;
}

function heard(data) {
  return `${data.length} ${createHash('md5').update(data).digest('hex')}\n`;
}

function fail(error) {
  console.log('fails:', error.code || error.message);
  process.exit(1);
}

function serve(port) {
  net.createServer({ allowHalfOpen: true }, (connection) => {
    const pieces = [];
    connection.on('data', (piece) => pieces.push(piece));
    connection.on('error', () => connection.destroy());
    connection.on('end', () => {
      connection.write(heard(Buffer.concat(pieces)));
      connection.end(pattern(ANSWER));
    });
  }).listen(port, '0.0.0.0');
}

function lines(port) {
  net.createServer((connection) => {
    let rest = '';
    connection.on('error', () => connection.destroy());
    connection.on('data', (piece) => {
      const parts = (rest + piece).split('\n');
      rest = parts.pop();
      for (const part of parts) connection.write(`you said ${part}\n`);
    });
  }).listen(port, '0.0.0.0');
}

function send(host, port, size) {
  const question = pattern(size);
  const connection = net.connect({ host, port, allowHalfOpen: true });
  const pieces = [];
  connection.on('error', fail);
  connection.end(question);
  connection.on('data', (piece) => pieces.push(piece));
  connection.on('end', () => {
    const got = Buffer.concat(pieces);
    const cut = got.indexOf('\n') + 1;
    const line = got.subarray(0, cut).toString();
    console.log('sent', size, line === heard(question) ? 'heard' : line.trim(), 'answer', got.subarray(cut).equals(pattern(ANSWER)));
  });
}

function talk(host, port) {
  const connection = net.connect({ host, port });
  let said = 0;
  let right = 0;
  const say = () => connection.write(`line ${said}\n`);
  connection.on('error', fail);
  connection.on('connect', say);
  connection.on('data', (piece) => {
    right += piece.toString() === `you said line ${said}\n`;
    if (++said < LINES) return say();
    console.log(right, 'answers');
    connection.end();
  });
}

const [role, ...words] = process.argv.slice(2);
const roles = { serve, lines, send, talk, ...require('./web'), ...require('./calls') };
const size = Number(words[2] || 5000000);
if (['send', 'talk', 'fetch', 'chat', 'call'].includes(role)) roles[role](words[0], Number(words[1]), size);
else roles[role](Number(words[0]), words[1]);
