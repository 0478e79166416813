// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing

@testable import Client

@Suite("The command line") struct FlagTests {
    private func options(_ arguments: [String], _ variables: [String: String] = [:]) throws -> CommandLineOptions {
        try CommandLineOptions(arguments) { variables[$0] }
    }

    private func status(_ arguments: [String]) -> Int32 {
        do throws(ClientFailure) {
            _ = try CommandLineOptions(arguments) { _ in nil }
            return 0
        } catch { return error.exitStatus }
    }

    @Test("is read by curl's habits")
    func habits() throws {
        let words = try FlagReader(["-sSfo", "file", "-XPUT", "--data=a=b", "http://a", "--no-compressed", "--", "-x"])
            .words
        #expect(
            words == [
                .flag("silent", argument: nil, isOn: true), .flag("show-error", argument: nil, isOn: true),
                .flag("fail", argument: nil, isOn: true), .flag("output", argument: "file", isOn: true),
                .flag("request", argument: "PUT", isOn: true), .flag("data", argument: "a=b", isOn: true),
                .plain("http://a"), .flag("compressed", argument: nil, isOn: false), .plain("-x"),
            ])
        #expect(try options(["-d", "-", "a"]).settings.effectiveMethod == "POST")
    }

    @Test(
        "that is wrong ends with 2 and says what to try",
        arguments: [
            ["--frobnicate", "a"], ["-y", "a"], ["-o"], ["--silent=1", "a"], [], ["-d", "x", "-F", "a=b", "a"],
            ["-I", "-d", "x", "a"],
            ["-H", "no colon", "a"], ["-H", "A: b\r\nC: d", "a"], ["-X", "GET IT", "a"], ["-X", "GET\r\nX:", "a"],
            ["--cache", "sometimes", "a"], ["-A", "a\r\nb", "a"], ["-b", "a=\nb", "a"], ["-e", "\r", "a"],
            ["-F", "nothing", "a"],
            ["--max-time", "soon", "a"], ["--retry", "-1", "a"], ["-r", "all", "a"], ["-C", "x", "a"], ["cache"],
            ["cache", "burn"], ["--max-filesize", "10x", "a"], ["--log-format", "xml", "a"],
            ["--parallel-max", "0", "a"], ["-C", "5", "-d", "x", "a"], ["-C", "-", "-F", "a=b", "a"],
            ["-C", "5", "-T", "-", "a"],
        ])
    func wrong(_ arguments: [String]) { #expect(status(arguments) == 2) }

    @Test("suggests the flag that was meant")
    func suggestion() {
        #expect(throws: ClientFailure(2, "there is no --insecur; is --insecure meant?")) {
            try FlagReader(["--insecur"])
        }
        #expect(throws: ClientFailure(2, "there is no --max-tim; is --max-time meant?")) {
            try FlagReader(["--max-tim"])
        }
    }

    @Test("makes bodies of -d, --json and --data-urlencode")
    func data() throws {
        let folder = TemporaryFolder()
        let file = folder.write("a\r\nb\n", to: "file")
        func body(_ arguments: [String]) throws -> String {
            guard case .bytes(let bytes) = try options(arguments + ["a"]).settings.body else { return "none" }
            return String(decoding: bytes, as: UTF8.self)
        }
        #expect(try body(["-d", "a=b", "-d", "c"]) == "a=b&c")
        #expect(try body(["-d", "@\(file)"]) == "ab")
        #expect(try body(["--data-binary", "@\(file)"]) == "a\r\nb\n")
        #expect(try body(["--data-raw", "@\(file)"]) == "@\(file)")
        #expect(try body(["--json", "{", "--json", "}"]) == "{}")
        #expect(
            try body(["--data-urlencode", "n=a b&", "--data-urlencode", "=x y", "--data-urlencode", "ä"])
                == "n=a%20b%26&x%20y&%C3%A4")
        let get = try options(["-G", "-d", "a=b", "http://a/?x"])
        #expect(get.urls == ["http://a/?x&a=b"] && get.settings.effectiveMethod == "GET")
        #expect(status(["-d", "@/nowhere", "a"]) == 26)
        let json = try options(["--json", "{}", "a"])
        #expect(json.settings.contentType == "application/json")
    }

    @Test("has a form's parts with their lengths and no line breaks of theirs in the heads")
    func form() throws {
        var form = MultipartForm()
        try form.add("a\"\r\nb=text;more;type=text/x")
        let folder = TemporaryFolder()
        try form.add("f=@\(folder.write("content", to: "x.bin"));filename=y\"z")
        let reader = try BodyReader(.form(form))
        var text = ""
        for piece in try form.pieces() {
            if case .bytes(let bytes) = piece { text += String(decoding: bytes, as: UTF8.self) }
        }
        #expect(text.contains("name=\"a%22%0D%0Ab\"\r\nContent-Type: text/x\r\n\r\ntext;more\r\n"))
        #expect(text.contains("name=\"f\"; filename=\"y%22z\"\r\nContent-Type: application/octet-stream\r\n\r\n\r\n"))
        #expect(reader.length == UInt64(text.utf8.count + 7))
    }

    @Test("minds the variables that curl minds, and HTTP_PROXY not")
    func variables() throws {
        let proxy = ["http_proxy": "http://p:3128", "HTTP_PROXY": "http://evil", "no_proxy": "a.b, .c"]
        func chosen(_ arguments: [String], _ variables: [String: String], for url: String? = nil) throws -> String? {
            let settings = try options(arguments, variables).settings
            return settings.proxy(for: try HTTPURL(url ?? arguments.last ?? ""))?.url.authority
        }
        let plain = try options(["http://x"], proxy)
        #expect(try chosen(["http://x"], proxy) == "p:3128" && plain.settings.directHosts == ["a.b", ".c"])
        #expect(try chosen(["http://x"], ["HTTP_PROXY": "http://evil"]) == nil)
        #expect(try chosen(["https://x"], ["HTTPS_PROXY": "p:1"]) == "p:1")
        #expect(try chosen(["-x", "q", "http://x"], proxy) == "q:1080")
        #expect(status(["-x", "socks5://q", "http://x"]) == 5)
        // Each URL has the proxy of its own scheme, wherever it came from.
        let both = ["http_proxy": "p:1", "https_proxy": "s:2"]
        #expect(try chosen(["http://x", "https://x"], both) == "s:2")
        #expect(try chosen(["https://x", "http://x"], both) == "p:1")
        #expect(try chosen(["-L", "http://x"], both, for: "https://x") == "s:2")
        #expect(try chosen(["http://x"], ["http_proxy": "p:1", "https_proxy": "socks5://s"]) == "p:1")
        #expect(throws: ClientFailure.self) { try options(["-L", "http://x"], ["https_proxy": "socks5://s"]) }
        // An empty -x is a proxy of the user's choice as well: none.
        let none = try options(["-x", "", "http://x"], proxy)
        #expect(none.settings.proxy(for: try HTTPURL("http://x")) == nil)
        #expect(none.settings.proxy(for: try HTTPURL("https://x")) == nil)
        #expect(try options(["-x", "q", "http://x"], proxy).settings.directHosts == ["a.b", ".c"])
        for (host, expected) in [("a.b", true), ("x.a.b", true), ("xa.b", false), ("c", true), ("a.b.", true)] {
            #expect(Route.isDirect(host, ["a.b", ".c"]) == expected)
        }
    }

    @Test("is documented from the same table")
    func manual() {
        for flag in Flag.all {
            #expect(Manual.help().contains("--\(flag.name)"))
            #expect(!flag.help.isEmpty)
        }
        #expect(Set(Flag.all.map(\.name)).count == Flag.all.count)
        let letters = Flag.all.compactMap(\.letter)
        #expect(Set(letters).count == letters.count)
        for shell in ["bash", "zsh", "fish"] {
            #expect(Manual.completions(for: shell)?.contains("compressed") == true)
        }
        #expect(status(["--generate-completion-script", "csh"]) == 2)
        let root = #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined()
        #expect(contents(of: root + "/docs/client.1") == Manual.page(), "client --generate-manual > docs/client.1")
        let page = contents(of: root + "/docs/client.md")
        for mode in CacheMode.allCases { #expect(page.contains("`\(mode.rawValue)`")) }
    }

    @Test("every flag that is declared is understood")
    func understood() throws {
        for flag in Flag.all {
            let sample: String
            switch flag.name {
            case "json", "data", "data-raw", "data-binary", "data-urlencode", "user-agent": sample = "x"
            case "form", "form-string", "cookie": sample = "a=b"
            case "header": sample = "A: b"
            case "range": sample = "0-1"
            case "cache": sample = "reload"
            case "log-format": sample = "json"
            case "resolve": sample = "a:80:127.0.0.1"
            case "generate-completion-script": sample = "bash"
            default: sample = "5"
            }
            var words = ["--" + flag.name]
            if flag.argument != nil { words.append(sample) }
            #expect(status(words + ["http://a"]) == 0, "--\(flag.name)")
        }
    }
}

@Suite("What is told") struct ShowTests {
    @Test("fills in what -w names")
    func writeOut() throws {
        var report = TransferReport()
        report.status = 200
        report.bodyBytes = 5
        report.head = Array("HTTP/1.1 200 OK\r\nX-A: \u{1B}b\r\nContent-Type: a/b\r\n\r\n".utf8)
        let text = try WriteOut(
            "%{http_code} %{size_download}%%\\n%header{x-a} %{nothing}%{content_type}%{stderr}e\\t%{stdout}o"
        )
        .text(report, fileName: "f")
        #expect(text == .init(output: "200 5%\n\\x1bb a/bo", error: "e\t"))
        let json = try WriteOut("%{json}").text(report, fileName: "a\"b").output
        #expect(json.contains("\"http_code\":200,") && json.contains("\"filename_effective\":\"a\\\"b\""))
    }

    @Test("prints JSON for people, wherever the pieces are cut")
    func json() {
        let text = Array("{\"a\":[1,{\"b\":\"c,{\\\"\"}],\"d\":{},\"e\":[]}".utf8)
        let expected = """
            {
              "a": [
                1,
                {
                  "b": "c,{\\""
                }
              ],
              "d": {},
              "e": []
            }

            """
        for cut in 0...text.count {
            var printer = JSONPrinter(hasColours: false)
            let (first, second) = (Array(text[..<cut]), Array(text[cut...]))
            var out = printer.take(first.span)
            out += printer.take(second.span)
            out += printer.finish()
            #expect(String(decoding: out, as: UTF8.self) == expected)
        }
        var deep = JSONPrinter(hasColours: false)
        let nested = [UInt8](repeating: 0x5B, count: 20_000)
        #expect(deep.take(nested.span).count < nested.count * (2 * JSONPrinter.deepestIndent + 2))
    }

    @Test("has a progress line that fits")
    func progress() {
        for width in [20, 40, 80, 200] {
            for (bytes, total) in [(0, 100), (50, 100), (100, 100), (1 << 40, nil)] as [(UInt64, UInt64?)] {
                let line = ProgressBar.line(bytes, of: total, nanoseconds: 2_000_000_000, width: width, isUpload: false)
                #expect(line.count < width)
            }
        }
        #expect(
            ProgressBar.line(50 << 20, of: 100 << 20, nanoseconds: 2_000_000_000, width: 80, isUpload: false)
                .hasSuffix(" 50%  50.0 MiB received  25.0 MiB/s  0:02 left"))
    }

    @Test("logs fields without secrets, and as JSON")
    func log() {
        var report = TransferReport()
        report.method = "GET"
        report.url = "http://a/"
        report.status = 200
        report.cache = .hit
        report.requestHead = Array("GET / HTTP/1.1\r\nAuthorization: Basic secret\r\nCookie: secret\r\n".utf8)
        report.head = Array("HTTP/1.1 200 OK\r\nSet-Cookie: secret\r\nX: \u{1B}\r\n\r\n".utf8)
        let entry = RequestLog.Entry(report, seconds: 1_764_001_321, withHeads: true)
        #expect(!entry.line.contains("secret") && !entry.json.contains("secret"))
        #expect(entry.line.hasPrefix("2025-11-24 16:22:01 GET http://a/ 200 0 0ms hit - - exit=0\n> GET / HTTP/1.1\n"))
        #expect(entry.line.hasSuffix("\n< X: \\x1b"))
        #expect(
            entry.json.hasPrefix(
                "{\"time\":\"2025-11-24T16:22:01Z\",\"method\":\"GET\",\"url\":\"http://a/\",\"status\":200,"))
    }
}
