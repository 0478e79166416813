// SPDX-License-Identifier: Apache-2.0
// What several flags mean together, and how their arguments are read.

extension CommandLineOptions {
    mutating func finish(_ variable: (String) -> String?) throws(ClientFailure) {
        if let first = urls.first, first == "flush" || first == "cache" {
            let rest = Array(urls.dropFirst())
            guard first == "cache" else {
                command = .flush(rest)
                return
            }
            guard let verb = rest.first, ["list", "show", "stat"].contains(verb) else {
                throw .usage("client cache: expected list, show URL or stat")
            }
            command = .cache(verb, Array(rest.dropFirst()))
            return
        }
        guard !urls.isEmpty else { throw .usage("nothing to fetch: a URL is missing; --help shows how") }
        if form != nil, data != nil { throw .usage("-F and -d exclude each other: each is the whole body") }
        // Only of a file is it clear which bytes are left.
        if settings.resumption != nil, form != nil || data != nil && !putsDataInURL || uploads.contains("-") {
            throw .usage("-C continues a download, or -T FILE; it excludes -d, -F and -T -")
        }
        if settings.asksForHead, data != nil || form != nil, !putsDataInURL {
            throw .usage("-I and -d exclude each other: HEAD has no content")
        }
        if let data {
            if putsDataInURL {
                urls = urls.map { $0 + ($0.contains("?") ? "&" : "?") + String(decoding: data, as: UTF8.self) }
            } else {
                settings.body = .bytes(data)
                settings.contentType = isJSON ? "application/json" : "application/x-www-form-urlencoded"
                if isJSON, !settings.fields.contains(where: { $0.isNamed("accept") }) {
                    settings.fields.append(RequestField(name: "Accept", value: "application/json"))
                }
            }
        } else if let form {
            settings.body = .form(form)
            settings.contentType = "multipart/form-data; boundary=\(form.boundary)"
        }
        if namesAll { while outputs.count < urls.count { outputs.append(.remoteName) } }
        try takeProxies(variable)
        settings.trust = [
            isInsecure ? "insecure" : "", authorities ?? "", certificate ?? "",
        ].joined(separator: "\n")
    }

    /// The variables that curl minds. `HTTP_PROXY` is not one: a server's CGI would take it from a request's field.
    mutating func takeProxies(_ variable: (String) -> String?) throws(ClientFailure) {
        if !hasNoProxyFlag, let list = variable("no_proxy") ?? variable("NO_PROXY") {
            settings.directHosts = list.split(whereSeparator: { $0 == "," || $0 == " " }).map(String.init)
        }
        guard settings.unixSocket == nil, !hasProxyFlag else { return }
        let areSecure = urls.map { $0.lowercased().hasPrefix("https:") }
        // One that cannot be used is no trouble where nobody needs it.
        if settings.followsRedirects || areSecure.contains(false) {
            settings.plainProxy = try Self.proxy(["http_proxy", "all_proxy", "ALL_PROXY"], variable)
        }
        if settings.followsRedirects || areSecure.contains(true) {
            settings.secureProxy = try Self.proxy(["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"], variable)
        }
    }

    private static func proxy(
        _ names: [String], _ variable: (String) -> String?
    ) throws(ClientFailure) -> ProxyServer? {
        for name in names {
            if let text = variable(name), !text.isEmpty { return try ProxyServer(parsing: text) }
        }
        return nil
    }

    mutating func addData(_ text: String, readsFiles: Bool, stripsLines: Bool) throws(ClientFailure) {
        guard readsFiles, text.hasPrefix("@") else {
            append(Array(text.utf8), separator: "&")
            return
        }
        let bytes = try FileContents.all(of: String(text.dropFirst()))
        append(stripsLines ? bytes.filter { $0 != 0x0A && $0 != 0x0D && $0 != 0 } : bytes, separator: "&")
    }

    mutating func append(_ bytes: [UInt8], separator: String) {
        data = data.map { $0 + Array(separator.utf8) + bytes } ?? bytes
    }

    /// `--data-urlencode`: TEXT, =TEXT, NAME=TEXT, @FILE, NAME@FILE.
    static func encoded(_ text: String) throws(ClientFailure) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard let mark = bytes.firstIndex(where: { $0 == 0x3D || $0 == 0x40 }) else {
            return PercentCoding.encode(bytes)
        }
        let name = Array(bytes[..<mark])
        let behind = Array(bytes[(mark + 1)...])
        let value = bytes[mark] == 0x40 ? try FileContents.all(of: String(decoding: behind, as: UTF8.self)) : behind
        return (name.isEmpty ? [] : name + [0x3D]) + PercentCoding.encode(value)
    }

    static func fieldValue(_ text: String, _ flag: String) throws(ClientFailure) -> String {
        guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
            throw .usage("\(flag): a field cannot have control characters in it")
        }
        return text
    }

    static func credentials(_ text: String) -> HTTPURL.Credentials {
        let colon = text.firstIndex(of: ":") ?? text.endIndex
        return HTTPURL.Credentials(user: String(text[..<colon]), password: String(text[colon...].dropFirst()))
    }

    /// Seconds, with a fraction perhaps; nil for 0, which means no limit.
    static func milliseconds(_ text: String, _ flag: String) throws(ClientFailure) -> UInt64? {
        guard let seconds = Double(text), seconds >= 0, seconds <= 1e9 else {
            throw .usage("\(flag) \"\(text)\": expected a number of seconds")
        }
        return seconds == 0 ? nil : max(1, UInt64(seconds * 1000))
    }

    /// Bytes, with k, m or g behind perhaps.
    static func size(_ text: String, _ flag: String) throws(ClientFailure) -> UInt64 {
        let units: [Character: UInt64] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        let unit = text.last.flatMap { units[Character($0.lowercased())] }
        guard let number = UInt64(unit == nil ? text[...] : text.dropLast()) else {
            throw .usage("\(flag) \"\(text)\": expected a number of bytes, such as 500k, 10m or 1g")
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit ?? 1)
        return overflow ? .max : bytes
    }
}
