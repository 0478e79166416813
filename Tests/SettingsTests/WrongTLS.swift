// SPDX-License-Identifier: Apache-2.0
// Wrong settings of TLS, with the lines that tell of them.

extension WrongFiles {
    static let tls: [WrongFile] = [
        WrongFile(
            "listener with TLS by another word",
            "listeners: [{port: 8443, tls: yes}]",
            ["1:31: listeners.tls: expected true or false; found \"yes\""]),
        WrongFile(
            "listener with TLS and without port",
            "listeners: [8080, {tls: true}]",
            ["1:19: listeners: a listener with TLS needs a port, such as 8443"]),
        WrongFile(
            "listener both plain and TLS",
            "listeners: [8443, {port: 8443, tls: true}]",
            ["1:19: listeners: [::]:8443 is given twice; the first time in line 1"]),
        WrongFile(
            "listener with an unknown key like tls",
            "listeners: [{port: 8443, tsl: true}]",
            ["1:26: listeners: unknown key 'tsl'; did you mean 'tls'?"]),
        WrongFile(
            "certificate without its own file",
            "tls: {certificates: [{key: a.key}]}",
            ["1:22: tls.certificates: an element needs a cert, the path of a certificate's file"]),
        WrongFile(
            "certificate with an unknown key",
            "tls: {certificates: [{cret: a.pem, key: a.key}]}",
            ["1:23: tls.certificates: unknown key 'cret'; did you mean 'cert'?"]),
        WrongFile(
            "certificate as a text",
            "tls: {certificates: [a.pem]}",
            ["1:22: tls.certificates: expected keys with values; found \"a.pem\""]),
        WrongFile(
            "certificate with an empty path",
            "tls: {certificates: [{cert: \"\", key: a.key}]}",
            ["1:29: tls.certificates.cert: expected the path of a file; found \"\""]),
        WrongFile(
            "certificate with no path for its key",
            "tls: {certificates: [{cert: a.pem, key: }]}",
            ["1:36: tls.certificates.key: has no value"]),
        WrongFile(
            "certificate with two responses",
            "tls: {certificates: [{cert: a.pem, ocsp: [a, b]}]}",
            ["1:42: tls.certificates.ocsp: expected a single value; found a list"]),
        WrongFile(
            "certificate twice",
            "tls:\n  certificates:\n    - {cert: a.pem}\n    - {cert: a.pem, key: b}",
            ["4:7: tls.certificates: \"a.pem\" is given twice; the first time in line 3"]),
        WrongFile(
            "unknown key in the group",
            "tls: {certificate: a.pem}",
            ["1:7: tls: unknown key 'certificate'; did you mean 'certificates'?"]),
        WrongFile(
            "unknown key in the group of upstream servers",
            "upstream_tls: {insecure_skip_verfy: true}",
            ["1:16: upstream_tls: unknown key 'insecure_skip_verfy'; did you mean 'insecure_skip_verify'?"]),
        WrongFile(
            "old version",
            "tls: {min_version: 1.1}",
            ["1:20: tls.min_version: expected one of 1.2, 1.3; found \"1.1\"; did you mean '1.2'?"]),
        WrongFile(
            "client certificate by another word",
            "tls: {client_ca: a.pem, client_certificate: require}",
            [
                "1:45: tls.client_certificate: expected one of required, optional; found \"require\"; did you mean "
                    + "'required'?"
            ]),
        WrongFile(
            "OCSP by a number",
            "tls: {ocsp_fetch: 1}",
            ["1:19: tls.ocsp_fetch: expected true or false; found \"1\""]),
        WrongFile(
            "redirect without value",
            "tls: {redirect: }",
            ["1:7: tls.redirect: has no value"]),
        WrongFile(
            "HSTS without unit",
            "tls: {hsts: 31536000}",
            [
                "1:13: tls.hsts: expected a duration between 0s and 730d, such as 365d; found \"31536000\" (did you "
                    + "mean 31536000s?)"
            ]),
        WrongFile(
            "HSTS beyond two years",
            "tls: {hsts: 731d}",
            ["1:13: tls.hsts: expected a duration between 0s and 730d, such as 365d; found \"731d\""]),
        WrongFile(
            "HSTS in parts of a second",
            "tls: {hsts: 1500ms}",
            ["1:13: tls.hsts: expected whole seconds; found \"1500ms\""]),
        WrongFile(
            "empty path of roots",
            "upstream_tls: {ca: \"\"}",
            ["1:20: upstream_tls.ca: expected the path of a file; found \"\""]),
        WrongFile(
            "handshakes without time or number",
            "timeouts: {handshake: 0s}\nlimits: {handshakes: 0}",
            [
                "1:23: timeouts.handshake: expected a duration between 1ms and 1h, such as 10s; found \"0s\"",
                "2:22: limits.handshakes: expected a whole number from 1 to 1000000; found \"0\"",
            ]),
    ]
}
