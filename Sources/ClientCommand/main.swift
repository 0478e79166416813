// SPDX-License-Identifier: Apache-2.0
// The `client` command: curl's habits for flags, output and exit status.

import ArgumentParser
import Client
import Engine
import Glibc

struct Command: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client",
        abstract: "Fetches a URL over HTTP and writes the response to standard output.",
        discussion: """
            client http://localhost:8080/             print a page
            client -I http://localhost:8080/          only its head
            client -d name=value http://…/form        POST
            client --insecure https://localhost:8443/ through TLS, whoever answers
            client --log log.log http://…/            a line in log.log for every request

            Exit status as curl's: 0 done, 1 not spoken here, 2 usage, 3 bad URL, 6 no such host, 7 no connection, 18 cut short, 23 cannot \
            write, 35 no secure connection, 52 no answer, 56 broken connection, 58 own certificate, 60 server's certificate, 77 --cacert.
            """)

    @Option(
        name: [.customShort("X"), .customLong("request")], help: "The method. Default GET; HEAD with -I, POST with -d.")
    var method: String?

    @Flag(name: [.customShort("I"), .customLong("head")], help: "Ask for the head only (HEAD), and print it.")
    var headOnly = false

    @Option(
        name: [.customShort("d"), .customLong("data")],
        help: "Send this as the body, by POST unless -X says otherwise. @FILE sends a file, @- standard input.")
    var data: [String] = []

    @Option(name: [.customShort("H"), .customLong("header")], help: "Add a field, such as 'Accept: text/plain'.")
    var fields: [String] = []

    @Option(name: [.short, .customLong("output")], help: "Write the body to this file.")
    var output: String?

    @Flag(name: [.short, .customLong("include")], help: "Print the response's head too.")
    var include = false

    @Flag(
        name: [.customShort("k"), .long],
        help: "Take any certificate: the connection is secret, but nobody knows with whom.")
    var insecure = false

    @Option(help: "Verify the server's certificate against the root certificates in this PEM file.")
    var cacert: String?

    @Option(name: [.customShort("E"), .long], help: "Show the certificate in this PEM file to the server.")
    var cert: String?

    @Option(help: "The private key of --cert, where it is not in the same file.")
    var key: String?

    @Option(help: "Append a line for the request to this file.")
    var log: String?

    @Argument(help: "What to fetch.")
    var url: String

    func run() throws {
        Glibc.exit(perform())
    }

    private func perform() -> Int32 {
        let started = DateTime.now
        var report = TransferReport()
        var status: Int32 = 0
        do throws(ClientFailure) {
            try transfer(&report)
        } catch {
            complain(error)
            status = error.exitStatus
        }
        guard let log else { return status }
        let entry = RequestLog.Entry(
            seconds: started.seconds, method: effectiveMethod, url: url, status: report.status, bytes: report.bodyBytes,
            milliseconds: DateTime.now.milliseconds(since: started), peer: report.peer?.description, exitStatus: status)
        do throws(ClientFailure) {
            try RequestLog(path: log).append(entry)
        } catch {
            complain(error)
            return status == 0 ? error.exitStatus : status
        }
        return status
    }

    private var effectiveMethod: String { method ?? (headOnly ? "HEAD" : data.isEmpty ? "GET" : "POST") }

    private func transfer(_ report: inout TransferReport) throws(ClientFailure) {
        let parsed: HTTPURL
        do throws(HTTPURL.Failure) {
            parsed = try HTTPURL(url)
        } catch {
            switch error {
            case .unsupportedScheme(let scheme):
                throw ClientFailure(1, "\(scheme): only http and https are spoken here")
            case .malformed(let why):
                throw ClientFailure(3, "\(url) is not a URL: \(why)")
            }
        }
        var named: [(name: String, value: String)] = []
        for field in fields {
            guard let colon = field.firstIndex(of: ":"), colon != field.startIndex,
                !field.utf8.contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F })
            else {
                throw ClientFailure(2, "-H \"\(field)\": expected \"Name: value\" without control characters")
            }
            let value = field[field.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            named.append((String(field[..<colon]), String(value)))
        }
        guard effectiveMethod.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !effectiveMethod.isEmpty else {
            throw ClientFailure(2, "-X \"\(effectiveMethod)\": a method is a word")
        }
        let body: [UInt8]? = data.isEmpty ? nil : try Input.joined(data)
        var sink = try Sink(path: output, printsHead: include || headOnly)
        let request = ClientRequest(method: effectiveMethod, url: parsed, fields: named, body: body)
        try Transfer.run(request, security: try security(for: parsed), to: &sink, report: &report)
    }

    private func security(for url: HTTPURL) throws(ClientFailure) -> ClientSecurity? {
        guard url.isSecure else { return nil }
        if insecure { warn("the certificate of \(url.host) is not verified (--insecure)") }
        return try ClientSecurity(authorities: cacert, certificate: cert, key: key, verifies: !insecure)
    }

    private func warn(_ sentence: String) {
        let text = "client: warning: \(sentence)\n"
        _ = text.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }

    private func complain(_ failure: ClientFailure) {
        let text = "client: (\(failure.exitStatus)) \(failure.description)\n"
        _ = text.withCString { write(STDERR_FILENO, $0, strlen($0)) }
    }
}

/// Where the response is written.
struct Sink: ResponseReceiver {
    private let fd: Int32
    private let path: String
    private let printsHead: Bool

    init(path: String?, printsHead: Bool) throws(ClientFailure) {
        self.printsHead = printsHead
        self.path = path ?? "standard output"
        guard let path, path != "-" else {
            fd = STDOUT_FILENO
            return
        }
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard fd >= 0 else { throw .write(path, SystemFailure.reason(errno)) }
    }

    mutating func head(_ bytes: Span<UInt8>, status: UInt16) throws(ClientFailure) {
        if printsHead { try body(bytes) }
    }

    mutating func body(_ bytes: Span<UInt8>) throws(ClientFailure) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes.extracting(offset...).withUnsafeBufferPointer { write(fd, $0.baseAddress, $0.count) }
            if count > 0 {
                offset += count
            } else if errno != EINTR {
                throw .write(path, SystemFailure.reason(errno))
            }
        }
    }
}

/// What `-d` names.
enum Input {
    static func joined(_ values: [String]) throws(ClientFailure) -> [UInt8] {
        var result: [UInt8] = []
        for (index, value) in values.enumerated() {
            if index > 0 { result.append(UInt8(ascii: "&")) }
            if value.hasPrefix("@") {
                try append(file: String(value.dropFirst()), to: &result)
            } else {
                result += value.utf8
            }
        }
        return result
    }

    private static func append(file path: String, to result: inout [UInt8]) throws(ClientFailure) {
        let fd = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard fd >= 0 else { throw ClientFailure(26, "-d @\(path): cannot be read: \(SystemFailure.reason(errno))") }
        defer { if fd != STDIN_FILENO { close(fd) } }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(fd, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                throw ClientFailure(26, "-d @\(path): cannot be read: \(SystemFailure.reason(errno))")
            }
            if count == 0 { return }
            result += buffer[..<count]
        }
    }
}

/// A moment on the wall clock.
struct DateTime {
    let seconds: Int
    private let nanoseconds: Int

    static var now: DateTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return DateTime(seconds: time.tv_sec, nanoseconds: time.tv_nsec)
    }

    func milliseconds(since other: DateTime) -> Int {
        (seconds - other.seconds) * 1000 + (nanoseconds - other.nanoseconds) / 1_000_000
    }
}

do {
    let command = try Command.parse()
    try command.run()
} catch {
    // Usage errors are 2, as curl's; asking for help is no error.
    let text = Command.fullMessage(for: error)
    let isHelp = Command.exitCode(for: error) == .success
    _ = (text + "\n").withCString { write(isHelp ? STDOUT_FILENO : STDERR_FILENO, $0, strlen($0)) }
    exit(isHelp ? 0 : 2)
}
