// SPDX-License-Identifier: Apache-2.0
// The built command itself, beside the installed curl where both should do the same.

import Bytes
import Foundation
import TestSupport
import Testing

/// The programs.
private enum Program {
    /// What was built beside these tests.
    static let client: String = {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("client").path
    }()
    static let curl: String? = ["/usr/bin/curl", "/bin/curl"].first { FileManager.default.isExecutableFile(atPath: $0) }

    struct Result {
        let status: Int32
        let output: String
        let errors: String
    }

    static func run(
        _ path: String, _ arguments: [String], input: String? = nil, folder: TemporaryFolder
    ) throws -> Result {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        process.environment = ["XDG_CACHE_HOME": folder.file("cache"), "HOME": folder.path, "PATH": "/usr/bin:/bin"]
        let output = folder.file("out-\(UUID().uuidString)")
        let errors = folder.file("err-\(UUID().uuidString)")
        for file in [output, errors] { _ = FileManager.default.createFile(atPath: file, contents: nil) }
        process.standardOutput = FileHandle(forWritingAtPath: output)
        process.standardError = FileHandle(forWritingAtPath: errors)
        let file = folder.write(input ?? "", to: "input-\(UUID().uuidString)")
        process.standardInput = FileHandle(forReadingAtPath: file)
        try process.run()
        process.waitUntilExit()
        return Result(status: process.terminationStatus, output: contents(of: output), errors: contents(of: errors))
    }
}

@Suite("The client command") struct CommandTests {
    private let folder = TemporaryFolder()
    private static let authority = CertificateAuthority()

    private func client(_ arguments: [String], input: String? = nil) throws -> Program.Result {
        try Program.run(Program.client, arguments, input: input, folder: folder)
    }

    /// What curl and the client are both asked for; every one is a failure, but for the first.
    private enum Trouble: String, CaseIterable {
        case none, badURL, scheme, host, refused, timeout, handshake, certificate, partial, notFound, disk, folder,
            redirects
        case empty, noFile, method, notHTTP
    }

    @Test("ends with curl's exit status")
    func statuses() throws {
        guard let curl = Program.curl else {
            print("curl is not installed: exit statuses are not compared with its")
            return
        }
        let servers = Servers()
        for trouble in Trouble.allCases {
            let arguments: [String]
            switch trouble {
            case .none: arguments = [servers.good.url()]
            case .badURL: arguments = ["http://a:99999/"]
            case .scheme: arguments = ["gophers-not://a/"]
            case .host: arguments = ["http://no-such-host.invalid/"]
            case .refused: arguments = [servers.dead.url()]
            case .timeout: arguments = ["-m", "0.2", servers.silent.url()]
            case .handshake: arguments = ["-k", servers.good.url(scheme: "https")]
            case .certificate: arguments = [servers.secure.url(host: "localhost", scheme: "https")]
            case .partial: arguments = [servers.partial.url()]
            case .notFound: arguments = ["-f", servers.missing.url()]
            case .disk: arguments = ["-o", "/dev/full", servers.good.url()]
            case .folder: arguments = ["-o", "/nowhere/file", servers.good.url()]
            case .redirects: arguments = ["-L", "--max-redirs", "3", servers.loop.url()]
            case .empty: arguments = [servers.empty.url()]
            case .noFile: arguments = ["-T", "/nowhere/file", servers.good.url()]
            case .method: arguments = ["--no-such-flag", servers.good.url()]
            case .notHTTP: arguments = [servers.garbage.url()]
            }
            let theirs = try Program.run(curl, ["-sS"] + arguments, folder: folder)
            let ours = try client(["-sS"] + arguments)
            #expect(ours.status == theirs.status, "\(trouble): \(ours.errors) \(theirs.errors)")
            #expect(trouble == .none || !ours.errors.isEmpty)
        }
    }

    private final class Servers {
        let good = ScriptedServer.answering(ok("good"))
        let dead: ScriptedServer
        let silent = ScriptedServer { peer, _, _ in
            _ = peer.receiveHead()
            _ = peer.isClosedByPeer()
        }
        let secure = ScriptedServer.answering(ok("good"), tls: .server(CommandTests.authority.issue()))
        let partial = ScriptedServer.sendingAndClosing("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
        let missing = ScriptedServer.answering("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
        let loop = ScriptedServer.answering("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")
        let empty = ScriptedServer.sendingAndClosing("")
        let garbage = ScriptedServer.sendingAndClosing("garbage\r\n\r\n")
        init() {
            dead = ScriptedServer.answering("")
            dead.stop()
        }
    }

    @Test("does what is written about it")
    func uses() throws {
        let secure = ScriptedServer.answering(ok("hello"), tls: .server(Self.authority.issue()))
        let insecure = try client(["--insecure", secure.url(host: "localhost", scheme: "https")])
        #expect(insecure.output == "hello" && insecure.errors.contains("warning"))
        let server = scripted { head, body, _ in
            head.hasPrefix("POST") ? ok(body) : ok("page", fields: "Cache-Control: max-age=1000\r\n")
        }
        #expect(try client(["--log", "log.log", server.url()]).output == "page")
        #expect(try client(["--log", "log.log", server.url()]).output == "page")
        let lines = contents(of: folder.file("log.log")).split(separator: "\n")
        #expect(lines.count == 2 && lines[0].contains(" miss - 127.0.0.1:") && lines[1].contains(" hit - - exit=0"))
        #expect(server.requests.count == 1)
        #expect(try client(["-X", "POST", "-d", "a=b", server.url("/x")]).output == "a=b")
        #expect(try client(["-d", "@-", server.url("/x")], input: "from input").output == "from input")
        #expect(try client(["-I", server.url()]).output.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(try client(["cache", "list"]).output.contains(server.url()))
        #expect(try client(["cache", "show", server.url()]).output.contains("Cache-Control: max-age=1000"))
        #expect(try client(["flush"]).output.hasPrefix("1 response flushed"))
        #expect(try client(["cache", "list"]).output == "")
        #expect(try client(["cache", "show", server.url()]).status == 4)
        #expect(try client(["--version"]).output.hasPrefix("client "))
    }

    @Test("writes bodies where it is told, and nothing where there is none to write")
    func files() throws {
        let server = scripted { head, _, _ in
            if head.contains("/missing") { return "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno" }
            if head.contains("Range: bytes=4-") {
                return "HTTP/1.1 206 Part\r\nContent-Range: bytes 4-7/8\r\nContent-Length: 4\r\n\r\nrest"
            }
            return ok("body")
        }
        #expect(try client(["-O", server.url("/a/file.txt"), "-o", "two", server.url("/b")]).status == 0)
        #expect(contents(of: folder.file("file.txt")) == "body" && contents(of: folder.file("two")) == "body")
        #expect(try client(["-f", "-o", "none", server.url("/missing")]).status == 22)
        #expect(!FileManager.default.fileExists(atPath: folder.file("none")))
        #expect(try client(["-C", "-", "-o", "two", server.url("/b")]).status == 0)
        #expect(contents(of: folder.file("two")) == "bodyrest")
        #expect(try client(["--no-clobber", "-o", "two", server.url("/c")]).status == 23)
        #expect(try client(["--create-dirs", "-o", "x/y/z", server.url("/d")]).status == 0)
        #expect(contents(of: folder.file("x/y/z")) == "body")
        folder.write("precious", to: "precious")
        try FileManager.default.createSymbolicLink(atPath: folder.file("link"), withDestinationPath: "precious")
        #expect(try client(["-O", server.url("/link")]).status == 23)
        #expect(contents(of: folder.file("precious")) == "precious")
    }

    @Test("uploads under the file's name, whatever is in it")
    func uploadNames() throws {
        let server = scripted { _, body, _ in ok(body) }
        folder.write("content", to: "a#b c?%.txt")
        for (url, target) in [
            (server.url("/x/"), "/x/a%23b%20c%3F%25.txt"), (server.url(""), "/a%23b%20c%3F%25.txt"),
            (server.url("/x?/"), "/x?/"), (server.url("/y"), "/y"),
        ] {
            #expect(try client(["-T", "a#b c?%.txt", url]).output == "content")
            #expect(server.requests.last?.hasPrefix("PUT \(target) HTTP/1.1\r\n") == true)
        }
    }

    @Test("keeps error pages out of a download that it continues")
    func continuing() throws {
        let server = scripted { _, _, _ in "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno" }
        folder.write("half", to: "part")
        #expect(try client(["-C", "-", "-o", "part", server.url()]).status == 33)
        #expect(try client(["-f", "-C", "-", "-o", "part", server.url()]).status == 22)
        #expect(contents(of: folder.file("part")) == "half")
    }

    @Test("logs every request, and no password")
    func everyRequest() throws {
        let server = scripted { head, _, number in
            if head.hasPrefix("GET /from") {
                return "HTTP/1.1 302 Found\r\nLocation: /to\r\nContent-Length: 3\r\n\r\nfoo"
            }
            return number == 1 ? "HTTP/1.1 503 Later\r\nRetry-After: 0\r\nContent-Length: 4\r\n\r\nwait" : ok("there")
        }
        let url = "http://me:secret@127.0.0.1:\(server.port)/from"
        let result = try client(["-L", "--retry", "1", "--retry-delay", "0.01", "--log", "log.log", url])
        #expect(result.output == "there", "\(result.errors)")
        let dead = ScriptedServer.answering("")
        dead.stop()
        let nowhere = "http://me:secret@127.0.0.1:\(dead.port)/"
        #expect(try client(["--log", "log.log", nowhere]).status == 7)
        #expect(try client(["--log", "log.log", "http://me:secret@a:99999/"]).status == 3)
        #expect(try client(["--log", "log.log", "-O", "http://me:secret@127.0.0.1/"]).status == 23)
        let text = contents(of: folder.file("log.log"))
        #expect(!text.contains("secret"))
        let lines = text.split(separator: "\n").map { line in
            let words = line.split(separator: " ")
            return "\(words[3].split(separator: "/").last ?? "") \(words[4]) \(words[5]) \(words.last ?? "")"
        }
        #expect(
            lines == [
                "from 302 3 exit=0", "to 503 4 exit=0", "from 302 3 exit=0", "to 200 5 exit=0",
                "127.0.0.1:\(dead.port) - 0 exit=7", "a:99999 - 0 exit=3", "127.0.0.1 - 0 exit=23",
            ])
    }

    @Test("warns of --insecure where a connection is one, once")
    func insecureWarning() throws {
        let secure = ScriptedServer.answering(ok("there"), tls: .server(Self.authority.issue()))
        let place = secure.url(host: "localhost", scheme: "https")
        let plain = scripted { _, _, _ in "HTTP/1.1 302 Found\r\nLocation: \(place)\r\nContent-Length: 0\r\n\r\n" }
        func warnings(_ arguments: [String]) throws -> Int {
            try client(arguments).errors.split(separator: "\n").count { $0.contains("warning") }
        }
        #expect(try warnings(["-k", plain.url()]) == 0)
        #expect(try warnings(["-kL", plain.url(), plain.url()]) == 1)
    }

    @Test("fetches many URLs at once, each once")
    func parallel() throws {
        let server = scripted { head, _, _ in ok((head.split(separator: " ").dropFirst().first ?? "") + "\n") }
        let urls = (0..<40).map { server.url("/\($0)") }
        let result = try client(["-Z", "--parallel-max", "7"] + urls)
        #expect(Set(result.output.split(separator: "\n")) == Set((0..<40).map { "/\($0)" }))
        #expect(server.requests.count == 40 && server.connections <= 7)
    }

    @Test("fifty at once on one cache and one log tear nothing and lose nothing")
    func fifty() throws {
        let body = String(repeating: "0123456789", count: 20_000)
        let server = scripted { _, _, _ in ok(body, fields: "Cache-Control: max-age=1000\r\n") }
        let url = server.url()
        let folder = folder
        let results = Results()
        DispatchQueue.concurrentPerform(iterations: 50) { number in
            let path = number % 5 == 0 ? url + "own\(number)" : url
            let result = try? Program.run(Program.client, ["--log", "log.log", path], folder: folder)
            results.add(result?.status == 0 && result?.output == body)
        }
        #expect(results.good == 50)
        let lines = contents(of: folder.file("log.log")).split(separator: "\n")
        #expect(lines.count == 50)
        for line in lines { #expect(line.contains(" GET http://127.0.0.1:") && line.hasSuffix(" exit=0")) }
        #expect(try client(["cache", "stat"]).output.contains("responses  11, 11 of them fresh"))
        #expect(listing(of: folder.file("cache/gateway-client/tmp")).isEmpty)
    }

    /// `@unchecked Sendable` is safe because the lock is held for every access.
    private final class Results: @unchecked Sendable {
        private let lock = NSLock()
        private var count = 0
        func add(_ isGood: Bool) { lock.withLock { count += isGood ? 1 : 0 } }
        var good: Int { lock.withLock { count } }
    }
}
