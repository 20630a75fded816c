// SPDX-License-Identifier: Apache-2.0
// Timers, files, crypto and a worker thread.
const fs = require('fs');
const os = require('os');
const path = require('path');
const crypto = require('crypto');
const { Worker, isMainThread, parentPort } = require('worker_threads');

if (!isMainThread) {
  parentPort.once('message', (n) => {
    let s = 0;
    for (let i = 0; i < n; i++) s += i;
    parentPort.postMessage(s);
  });
} else {
  const order = [];
  console.log(crypto.createHash('sha256').update('pith').digest('hex'));
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'p-'));
  fs.writeFileSync(path.join(dir, 'a'), 'x'.repeat(100000));
  console.log(fs.statSync(path.join(dir, 'a')).size, fs.readdirSync(dir));
  fs.rmSync(dir, { recursive: true });
  process.nextTick(() => order.push('tick'));
  const later = (name, how) => new Promise((done) => how(() => {
    order.push(name);
    done();
  }));
  // Which of the two comes first depends on how long the start took.
  const both = [later('immediate', setImmediate),
                later('timer', (f) => setTimeout(f, 5))];
  const read = fs.promises.readFile(__filename);
  Promise.all(both).then(async () => {
    console.log(order.shift(), order.sort().join(' '));
    console.log('self', (await read).length > 100);
    const w = new Worker(__filename);
    w.on('message', (s) => console.log('worker', s));
    w.on('exit', (c) => console.log('exit', c));
    w.postMessage(1000000);
  });
}
