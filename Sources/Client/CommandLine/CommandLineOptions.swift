// SPDX-License-Identifier: Apache-2.0
// A command line, understood: settings for the transfers, where the bodies go, what is told. Files that flags name are read
// here; nothing else is done.

import Bytes
import Glibc

/// All that a command line asks for.
public struct CommandLineOptions: Sendable {
    /// What kind of command it is.
    public enum Command: Equatable, Sendable {
        case fetch
        /// `flush`, of everything or of these URLs.
        case flush([String])
        /// `cache list`, `cache show URL`, `cache stat`.
        case cache(String, [String])
        /// Text to print.
        case print(String)
    }

    /// What kind of command it is.
    public var command = Command.fetch
    /// How requests are made.
    public var settings = TransferSettings()
    /// What to fetch.
    public var urls: [String] = []
    /// Where bodies go, in the URLs' order.
    public var outputs: [OutputTarget] = []
    /// `--remote-name-all`.
    public var namesAll = false
    /// Files to send, in the URLs' order.
    public var uploads: [String] = []
    /// How files are made.
    public var outputRules = OutputRules()
    /// Print heads in front of bodies.
    public var includesHead = false
    /// Write heads there.
    public var headFile: String?
    /// Cookies given literally, and files of them.
    public var cookieTexts: [String] = []
    /// Files to read cookies from.
    public var cookieFiles: [String] = []
    /// The file to write cookies to.
    public var cookieJar: String?
    /// Leave out cookies of sessions.
    public var junksSessionCookies = false
    /// At once, or one after the other.
    public var isParallel = false
    /// Most at once.
    public var parallelLimit = 50
    /// Take any certificate.
    public var isInsecure = false
    /// The file of root certificates to trust.
    public var authorities: String?
    /// The file of the client's own certificate.
    public var certificate: String?
    /// The file of its key.
    public var key: String?
    /// Where the cache is.
    public var cacheFolder: String?
    /// What it may take, in bytes.
    public var cacheLimit = ClientCache.standardLimit
    /// Tell what is sent and what comes.
    public var isVerbose = false
    /// No progress and no errors.
    public var isSilent = false
    /// Errors in spite of that.
    public var showsErrors = false
    /// No progress.
    public var hidesProgress = false
    /// `-w`.
    public var writeOut: WriteOut?
    /// The log's file.
    public var log: String?
    /// How its records look.
    public var logFormat = RequestLog.Format.text
    /// Standard error goes there.
    public var errorFile: String?

    // What flags have said so far, until `finish` puts it together.
    var form: MultipartForm?
    var data: [UInt8]?
    var isJSON = false
    var putsDataInURL = false
    var hasNoProxyFlag = false
    var hasProxyFlag = false

    /// Understands arguments (without the program's name). `variable`: the environment.
    public init(_ arguments: [String], variable: (String) -> String?) throws(ClientFailure) {
        for word in try FlagReader(arguments).words {
            switch word {
            case .plain(let text): urls.append(text)
            case .flag(let name, let argument, let isOn): try take(name, argument ?? "", isOn: isOn)
            }
        }
        if case .print = command { return }
        try finish(variable)
    }

    private mutating func take(_ name: String, _ text: String, isOn: Bool) throws(ClientFailure) {
        if try takeRequest(name, text, isOn) { return }
        if try takeResponse(name, text, isOn) { return }
        try takeConnection(name, text, isOn)
    }

    private mutating func takeRequest(_ name: String, _ text: String, _ isOn: Bool) throws(ClientFailure) -> Bool {
        switch name {
        case "request":
            guard !text.isEmpty, text.utf8.count <= 32, text.utf8.allSatisfy({ RequestField.isToken($0) }) else {
                throw .usage("-X \"\(text)\": a method is a word")
            }
            settings.method = text
        case "head": settings.asksForHead = isOn
        case "data": try addData(text, readsFiles: true, stripsLines: true)
        case "data-raw": try addData(text, readsFiles: false, stripsLines: false)
        case "data-binary": try addData(text, readsFiles: true, stripsLines: false)
        case "data-urlencode": append(try Self.encoded(text), separator: "&")
        case "json":
            isJSON = true
            let isFile = text.hasPrefix("@")
            append(isFile ? try FileContents.all(of: String(text.dropFirst())) : Array(text.utf8), separator: "")
        case "get": putsDataInURL = isOn
        case "form", "form-string":
            var form = self.form ?? MultipartForm()
            try form.add(text, literally: name == "form-string")
            self.form = form
        case "upload-file": uploads.append(text)
        case "header":
            guard text.hasPrefix("@") else {
                settings.fields.append(try RequestField(parsing: text))
                break
            }
            let file = String(decoding: try FileContents.all(of: String(text.dropFirst())), as: UTF8.self)
            for line in file.split(whereSeparator: \.isNewline) {
                settings.fields.append(try RequestField(parsing: String(line)))
            }
        case "user-agent": settings.userAgent = try Self.fieldValue(text, "-A")
        case "referer": settings.referer = try Self.fieldValue(text, "-e")
        case "user": settings.credentials = Self.credentials(text)
        case "oauth2-bearer":
            settings.fields.append(try RequestField(parsing: "Authorization: Bearer \(text)"))
        case "cookie":
            if text.contains("=") {
                cookieTexts.append(try Self.fieldValue(text, "-b"))
            } else {
                cookieFiles.append(text)
            }
        case "cookie-jar": cookieJar = text
        case "junk-session-cookies": junksSessionCookies = isOn
        case "range":
            guard text.utf8.allSatisfy({ $0.isDigit || $0 == 0x2D || $0 == 0x2C }), text.contains("-") else {
                throw .usage("-r \"\(text)\": expected a range such as 0-499, 500- or -500")
            }
            settings.range = text
        case "continue-at":
            if text == "-" {
                settings.resumption = .automatic
            } else {
                guard let offset = UInt64(text) else {
                    throw .usage("-C \"\(text)\": expected a number of bytes, or -")
                }
                settings.resumption = .at(offset)
            }
        case "compressed": settings.acceptsCompressed = isOn
        case "url": urls.append(text)
        default: return false
        }
        return true
    }

    private mutating func takeResponse(_ name: String, _ text: String, _ isOn: Bool) throws(ClientFailure) -> Bool {
        switch name {
        case "output": outputs.append(text == "-" ? .raw : .file(text))
        case "remote-name": outputs.append(isOn ? .remoteName : .standard)
        case "remote-name-all": namesAll = isOn
        case "output-dir": outputRules.folder = text
        case "create-dirs": outputRules.makesFolders = isOn
        case "no-clobber": outputRules.keepsFiles = isOn
        case "include": includesHead = isOn
        case "dump-header": headFile = text
        case "fail": settings.failsOnError = isOn
        case "fail-with-body": settings.failsWithBody = isOn
        case "location": settings.followsRedirects = isOn
        case "location-trusted":
            settings.followsRedirects = isOn
            settings.trustsLocation = isOn
        case "max-redirs":
            guard let count = Int(text), count >= -1 else {
                throw .usage("--max-redirs \"\(text)\": expected a number")
            }
            settings.redirectLimit = count < 0 ? nil : count
        case "post301": settings.keepsPostAfter.insert(301)
        case "post302": settings.keepsPostAfter.insert(302)
        case "post303": settings.keepsPostAfter.insert(303)
        case "pretty": outputRules.isPretty = isOn
        case "cache":
            guard let mode = CacheMode(rawValue: text) else {
                let known = CacheMode.allCases.map(\.rawValue).joined(separator: ", ")
                throw .usage("--cache \"\(text)\": expected one of \(known)")
            }
            settings.cacheMode = mode
        case "offline": settings.cacheMode = isOn ? .onlyIfCached : .standard
        case "cache-dir": cacheFolder = text
        case "cache-size": cacheLimit = Int(clamping: try Self.size(text, "--cache-size"))
        case "verbose": isVerbose = isOn
        case "silent": isSilent = isOn
        case "show-error": showsErrors = isOn
        case "write-out": writeOut = try WriteOut(text)
        case "log": log = text
        case "log-format":
            guard let format = RequestLog.Format(rawValue: text) else {
                throw .usage("--log-format \"\(text)\": expected text or json")
            }
            logFormat = format
        case "no-progress-meter": hidesProgress = isOn
        case "stderr": errorFile = text
        case "help": command = .print(Manual.help())
        case "version": command = .print("client (gateway) 1.0\n")
        case "generate-manual": command = .print(Manual.page())
        case "generate-completion-script":
            guard let script = Manual.completions(for: text) else {
                throw .usage("--generate-completion-script \"\(text)\": expected bash, zsh or fish")
            }
            command = .print(script)
        default: return false
        }
        return true
    }

    private mutating func takeConnection(_ name: String, _ text: String, _ isOn: Bool) throws(ClientFailure) {
        switch name {
        case "proxy":
            settings.proxy = text.isEmpty ? nil : try ProxyServer(parsing: text)
            // An empty one means none at all, whatever the environment says.
            hasProxyFlag = true
        case "proxy-user": settings.proxyCredentials = Self.credentials(text)
        case "noproxy":
            hasNoProxyFlag = true
            settings.directHosts = text.split(whereSeparator: { $0 == "," || $0 == " " }).map(String.init)
        case "resolve":
            // As in curl, a + in front makes the entry expire, which nothing here does.
            let entry = text.hasPrefix("+") ? String(text.dropFirst()) : text
            settings.overrides.append(try AddressOverride(parsing: entry))
        case "unix-socket": settings.unixSocket = text
        case "ipv4": settings.addressFamily = isOn ? AF_INET : 0
        case "ipv6": settings.addressFamily = isOn ? AF_INET6 : 0
        case "parallel": isParallel = isOn
        case "parallel-max":
            guard let count = Int(text), (1...300).contains(count) else {
                throw .usage("--parallel-max \"\(text)\": expected a number from 1 to 300")
            }
            parallelLimit = count
        case "insecure": isInsecure = isOn
        case "cacert": authorities = text
        case "cert": certificate = text
        case "key": key = text
        case "max-time": settings.maxTime = try Self.milliseconds(text, "--max-time")
        case "connect-timeout":
            settings.connectTimeout = try Self.milliseconds(text, "--connect-timeout") ?? settings.connectTimeout
        case "max-filesize": settings.maxBodyBytes = try Self.size(text, "--max-filesize")
        case "retry":
            guard let count = Int(text), count >= 0 else { throw .usage("--retry \"\(text)\": expected a number") }
            settings.retry.attempts = count
        case "retry-delay": settings.retry.delay = try Self.milliseconds(text, "--retry-delay")
        case "retry-max-time": settings.retry.maxTime = try Self.milliseconds(text, "--retry-max-time")
        case "retry-connrefused": settings.retry.onRefused = isOn
        case "retry-all-errors": settings.retry.onAnyError = isOn
        default: throw .usage("there is no --\(name)")
        }
    }
}
