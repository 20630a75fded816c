// SPDX-License-Identifier: Apache-2.0
// fs.watch of a directory: libuv's inotify behind it.
const fs = require('fs'), os = require('os'), path = require('path');
const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'watch-'));
const w = fs.watch(dir, (event, name) => {
	console.log(event, name);
	if (name === 'last') {
		w.close();
		fs.rmSync(dir, { recursive: true });
	}
});
fs.writeFileSync(path.join(dir, 'a'), 'text');
fs.renameSync(path.join(dir, 'a'), path.join(dir, 'b'));
fs.mkdirSync(path.join(dir, 'd'));
fs.chmodSync(path.join(dir, 'b'), 0o600);
fs.unlinkSync(path.join(dir, 'b'));
fs.mkdirSync(path.join(dir, 'last'));
