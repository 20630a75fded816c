// SPDX-License-Identifier: Apache-2.0
// The hash of what fetch() of the URL gives.
const crypto = require('crypto');
fetch(process.argv[2]).then((r) => r.arrayBuffer()).then((b) => {
	console.log(crypto.createHash('sha256').update(Buffer.from(b))
		.digest('hex'));
});
