# SPDX-License-Identifier: Apache-2.0
"""Hashes of what urllib gets over TLS, the certificate verified."""
import hashlib
import ssl
import sys
import urllib.request

context = ssl.create_default_context(cafile=sys.argv[2])
for n in (10, 400000):
    with urllib.request.urlopen("%s/%d" % (sys.argv[1], n),
                                context=context) as r:
        print(hashlib.sha256(r.read()).hexdigest())
