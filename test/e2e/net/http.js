// SPDX-License-Identifier: Apache-2.0
// GET /N gives N times "x", POST gives the body back.
const http = require('http');
http.createServer((req, res) => {
	if (req.method === 'GET') {
		res.end('x'.repeat(Number(req.url.slice(1))));
		return;
	}
	const parts = [];
	req.on('data', (c) => parts.push(c));
	req.on('end', () => res.end(Buffer.concat(parts)));
}).listen(8000, () => console.log('listening'));
