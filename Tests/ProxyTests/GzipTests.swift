// SPDX-License-Identifier: Apache-2.0
// Stored responses in their two forms, through a running gateway.

import Bytes
import Foundation
import Settings
import Synchronization
import TestSupport
import Testing

@Suite("Gzip for what is stored") struct GzipTests {
    private let folder = TemporaryFolder()
    private let html = "Content-Type: text/html\nETag: \"v1\"\nCache-Control: max-age=60"

    private func gateway(
        _ origin: ScriptedServer, workers: Int = 1, _ configure: (inout Configuration) -> Void = { _ in }
    ) throws -> RunningGateway {
        try RunningGateway(upstreams: [origin.port], workers: workers, cachingIn: folder, configure)
    }

    /// Waits until the response is stored, so that its length is known in both forms.
    private func store(_ gateway: RunningGateway, _ path: String = "/") -> CodedReply {
        gateway.get(path, "Accept-Encoding: gzip") { $0.isHit && $0["content-length"] != nil }
    }

    @Test("one stored response serves both forms")
    func oneStoredResponseServesBothForms() throws {
        let body = text(20_000)
        for isChunked in [false, true] {
            let origin = server { [html] _ in response(html, body, isChunked: isChunked) }
            let gateway = try gateway(origin)
            let first = gateway.get("/\(isChunked)")
            #expect(first.content == body)
            #expect(!first.isGzip)
            #expect(first["vary"] == "Accept-Encoding")

            let coded = store(gateway, "/\(isChunked)")
            #expect(coded.isGzip)
            #expect(coded["content-length"] == "\(coded.body.count)")
            #expect(coded.body.count < 13_000)
            #expect(coded.content == body)
            #expect(coded["etag"] == "W/\"v1\"")
            #expect(coded["vary"] == "Accept-Encoding")

            let plain = gateway.get("/\(isChunked)")
            #expect(plain.isHit)
            #expect(plain.values("content-encoding") == [])
            #expect(plain["content-length"] == "20000")
            #expect(plain.body == body)
            #expect(plain["etag"] == "\"v1\"")
            #expect(plain["vary"] == "Accept-Encoding")
            #expect(origin.requests.count == 1)
        }
    }

    /// Whether the head and the body come together or one after the other.
    @Test("content that does not become smaller is stored as it came")
    func contentThatDoesNotBecomeSmallerIsStoredAsItCame() throws {
        var generator = SystemRandomNumberGenerator()
        let body = (0..<40_000).flatMap { _ in unsafe withUnsafeBytes(of: generator.next()) { unsafe Array($0) } }
        for isTorn in [false, true] {
            let origin = ScriptedServer { [html] peer, _, server in
                server.note(peer.receiveMessage().head)
                let bytes = response(html, body)
                let head = isTorn ? bytes.count - body.count : 0
                if isTorn { _ = peer.send(Array(bytes[..<head])) }
                dawdle()
                _ = peer.send(Array(bytes[head...]))
                _ = peer.receiveMessage()
            }
            let gateway = try gateway(origin)
            let path = "/\(isTorn)"
            #expect(gateway.get(path, "Accept-Encoding: gzip").body == body)
            let stored = gateway.get(path, "Accept-Encoding: gzip") { $0.isHit }
            #expect(!stored.isGzip)
            #expect(stored["etag"] == "\"v1\"")
            #expect(stored.body == body)
            #expect(origin.requests.count == 1)
        }
    }

    @Test("a head does not wait for content that is slow")
    func aHeadDoesNotWaitForContentThatIsSlow() throws {
        let body = text(100_000)
        let gate = Gate()
        let origin = ScriptedServer { [html] peer, _, _ in
            _ = peer.receiveMessage()
            let bytes = response(html, body)
            _ = peer.send(Array(bytes[..<(bytes.count - body.count)]))
            gate.pass()
            _ = peer.send(body)
            _ = peer.receiveMessage()
        }
        let gateway = try gateway(origin)
        let client = gateway.connect()
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(client.receiveHead().hasPrefix("HTTP/1.1 200 OK"))
        gate.open()
        #expect(client.receiveBytes(count: body.count) == body)
    }

    @Test("both forms survive a restart")
    func bothFormsSurviveARestart() throws {
        let body = text(700_000)
        let origin = server { [html] _ in response(html, body) }
        let first = try gateway(origin)
        #expect(first.get("/", "Accept-Encoding: gzip").content == body)
        #expect(store(first).isHit)
        first.stop()
        let second = try gateway(origin)
        let coded = store(second)
        #expect(coded.isGzip && coded.isHit)
        #expect(coded.content == body)
        let plain = second.get()
        #expect(plain["content-length"] == "700000")
        #expect(plain.content == body)
        #expect(origin.requests.count == 1)
    }

    @Test("the weights of Accept-Encoding decide")
    func theWeightsOfAcceptEncodingDecide() throws {
        let body = text(2_000)
        let origin = server { [html] _ in response(html, body) }
        let gateway = try gateway(origin)
        #expect(store(gateway).isHit)
        for (field, isGzip) in [
            ("gzip", true), ("GZIP", true), ("x-gzip", true), ("gzip;q=0", false), ("gzip;q=0.5", true), ("*", true),
            ("*;q=0", false), ("identity;q=0, gzip;q=0.1", true), ("gzip;q=0.5, identity", false),
            ("br, deflate", false),
            ("gzip;q=0, *", false), ("identity;q=0", false), ("", false), ("br, gzip", true), ("gzip;q=2", false),
        ] {
            let reply = gateway.get("/", "Accept-Encoding: \(field)")
            #expect(reply.isGzip == isGzip, "\(field)")
            #expect(reply.content == body, "\(field)")
            #expect(reply.isHit)
        }
        // Who forbids a transformation gets what the origin sent.
        #expect(!gateway.get("/", "Accept-Encoding: gzip", "Cache-Control: no-transform").isGzip)
    }

    @Test("Vary is added to what the origin says, and never twice")
    func varyIsAddedToWhatTheOriginSaysAndNeverTwice() throws {
        let body = text(2_000)
        for (vary, values) in [
            ("Accept-Language", ["Accept-Language", "Accept-Encoding"]), ("accept-encoding", ["accept-encoding"]),
            ("Accept-Language, Accept-Encoding", ["Accept-Language, Accept-Encoding"]),
        ] {
            let origin = server { [html] _ in response(html + "\nVary: \(vary)", body) }
            let gateway = try gateway(origin)
            let path = "/" + vary.filter { $0.isLetter }
            let coded = store(gateway, path)
            #expect(coded.isGzip)
            #expect(coded.values("vary") == values)
            #expect(gateway.get(path).values("vary") == values)
        }
    }

    @Test("conditions match the tag of either form")
    func conditionsMatchTheTagOfEitherForm() throws {
        let body = text(2_000)
        let origin = server { [html] _ in response(html, body) }
        let gateway = try gateway(origin)
        #expect(store(gateway).isHit)
        for tag in ["\"v1\"", "W/\"v1\"", "\"x\", W/\"v1\"", "*"] {
            let coded = gateway.get("/", "Accept-Encoding: gzip", "If-None-Match: \(tag)")
            #expect(coded.status == 304)
            #expect(coded["etag"] == "W/\"v1\"")
            #expect(coded["vary"] == "Accept-Encoding")
            #expect(coded.values("content-encoding") == [])
            let plain = gateway.get("/", "If-None-Match: \(tag)")
            #expect(plain.status == 304)
            #expect(plain["etag"] == "\"v1\"")
            #expect(plain["vary"] == "Accept-Encoding")
        }
        let other = gateway.get("/", "Accept-Encoding: gzip", "If-None-Match: \"v2\"")
        #expect(other.status == 200)
        #expect(other.content == body)
        #expect(other["etag"] == "W/\"v1\"")
        #expect(origin.requests.count == 1)
    }

    @Test("ranges are those of the identity form")
    func rangesAreThoseOfTheIdentityForm() throws {
        for (path, size) in [("/small", 20_000), ("/large", 900_000)] {
            let body = text(size)
            let origin = server { [html] _ in response(html, body) }
            let gateway = try gateway(origin)
            #expect(store(gateway, path).isHit)
            for accepts in ["Accept-Encoding: gzip", "Accept-Encoding: br"] {
                for (range, bytes) in [
                    ("0-0", 0..<1), ("5-104", 5..<105), ("-10", size - 10..<size), ("\(size - 1)-", size - 1..<size),
                    ("0-", 0..<size), ("\(size / 2)-\(size / 2 + 9_999)", size / 2..<min(size, size / 2 + 10_000)),
                ] {
                    let part = gateway.get(path, accepts, "Range: bytes=\(range)")
                    #expect(part.status == 206, "\(range)")
                    #expect(part.values("content-encoding") == [])
                    #expect(part["content-range"] == "bytes \(bytes.lowerBound)-\(bytes.upperBound - 1)/\(size)")
                    #expect(part["content-length"] == "\(bytes.count)")
                    #expect(part.isWhole && part.body == Array(body[bytes]), "\(range)")
                    #expect(part["etag"] == "\"v1\"")
                    #expect(part["vary"] == "Accept-Encoding")
                }
                let beyond = gateway.get(path, accepts, "Range: bytes=\(size)-")
                #expect(beyond.status == 416)
                #expect(beyond["content-range"] == "bytes */\(size)")
                #expect(gateway.get(path, accepts, "Range: bytes=1-2", "If-Range: \"v1\"").body == Array(body[1...2]))
                // A weak tag, which is that of gzip, never holds parts together.
                let weak = gateway.get(path, accepts, "Range: bytes=1-2", "If-Range: W/\"v1\"")
                #expect(weak.status == 200)
                #expect(weak.content == body)
            }
            #expect(origin.requests.count == 1)
        }
    }

    @Test("a date does not tell the forms apart, so it repairs no gzip")
    func aDateDoesNotTellTheFormsApartSoItRepairsNoGzip() throws {
        let body = text(2_000)
        let fields = """
            Content-Type: text/css
            Cache-Control: max-age=60
            Last-Modified: Mon, 02 Mar 2026 10:00:00 GMT
            Date: \(date())
            """
        let origin = server { _ in response(fields, body) }
        let gateway = try gateway(origin)
        #expect(store(gateway).isHit)
        let condition = "If-Range: Mon, 02 Mar 2026 10:00:00 GMT"
        #expect(gateway.get("/", "Range: bytes=1-2", condition).status == 206)
        let reply = gateway.get("/", "Accept-Encoding: gzip", "Range: bytes=1-2", condition)
        #expect(reply.status == 200)
        #expect(reply.content == body)
    }

    private func date() -> String {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "GMT")
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return format.string(from: Date())
    }

    @Test("HEAD has the fields of GET")
    func headHasTheFieldsOfGet() throws {
        let body = text(20_000)
        let origin = server { [html] _ in response(html, body) }
        let gateway = try gateway(origin)
        #expect(store(gateway).isHit)
        for accepts in ["Accept-Encoding: gzip", "Accept-Encoding: identity"] {
            let get = gateway.get("/", accepts)
            let head = gateway.get("/", method: "HEAD", accepts)
            for name in ["content-encoding", "content-length", "etag", "vary", "content-type"] {
                #expect(head.values(name) == get.values(name), "\(name)")
            }
            #expect(head.isHit)
            #expect(head.body == [])
        }
    }

    @Test("a 304 brings the fields up to date, and the body stays")
    func a304BringsTheFieldsUpToDateAndTheBodyStays() throws {
        let body = text(400_000)
        let origin = server { head in
            guard head.contains("If-None-Match: \"v1\"") else {
                return response("Content-Type: text/html\nETag: \"v1\"\nCache-Control: max-age=0\nX-Turn: 1", body)
            }
            return Array(
                "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nCache-Control: max-age=60\r\nX-Turn: 2\r\n\r\n".utf8)
        }
        let gateway = try gateway(origin)
        #expect(gateway.get().content == body)
        let coded = gateway.get("/", "Accept-Encoding: gzip") { $0["x-turn"] == "2" }
        #expect(coded.content == body)
        #expect(coded.isGzip)
        #expect(coded["etag"] == "W/\"v1\"")
        let hit = store(gateway)
        #expect(hit["x-turn"] == "2")
        #expect(hit["etag"] == "W/\"v1\"")
        #expect(hit.content == body)
        let plain = gateway.get()
        #expect(plain["x-turn"] == "2")
        #expect(plain["content-length"] == "400000")
        #expect(plain["etag"] == "\"v1\"")
        #expect(plain.content == body)
    }

    @Test("what is being downloaded is sent in both forms")
    func whatIsBeingDownloadedIsSentInBothForms() throws {
        let body = text(300_000)
        let go = DispatchSemaphore(value: 0)
        let origin = ScriptedServer { [html] peer, _, server in
            let head = peer.receiveHead()
            if head.isEmpty { return }
            server.note(head)
            let all = response(html, body)
            peer.send(Array(all[..<150_000]))
            go.wait()
            peer.send(Array(all[150_000...]))
            _ = peer.receiveAll()
        }
        let gateway = try gateway(origin, workers: 2)
        var peers: [Peer] = []
        for index in 0..<6 {
            let peer = gateway.connect()
            let accepts = index % 2 == 0 ? "Accept-Encoding: gzip\r\n" : ""
            peer.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(accepts)\r\n")
            peers.append(peer)
        }
        // What has come is not held back until the rest comes.
        var begun: [[UInt8]] = []
        for (index, peer) in peers.enumerated() {
            var bytes: [UInt8] = []
            while bytes.count < (index % 2 == 0 ? 70_000 : 140_000) {
                let piece = peer.receive()
                if piece.isEmpty { break }
                bytes += piece
            }
            #expect(bytes.count >= (index % 2 == 0 ? 70_000 : 140_000))
            begun.append(bytes)
        }
        go.signal()
        for (index, peer) in peers.enumerated() {
            let reply = CodedReply(begun[index] + peer.receiveBytes())
            #expect(reply.isGzip == (index % 2 == 0))
            #expect(reply["etag"] == (index % 2 == 0 ? "W/\"v1\"" : "\"v1\""))
            #expect(reply["transfer-encoding"] == (index % 2 == 0 ? "chunked" : nil))
            #expect(reply["content-length"] == (index % 2 == 0 ? nil : "300000"))
            #expect(reply.content == body)
        }
        #expect(origin.requests.count == 1)
    }

    @Test("a download that breaks off is whole in neither form")
    func aDownloadThatBreaksOffIsWholeInNeitherForm() throws {
        let body = text(300_000)
        let origin = ScriptedServer { [html] peer, _, _ in
            if peer.receiveHead().isEmpty { return }
            peer.send(Array(response(html, body)[..<200_000]))
            peer.close()
        }
        let gateway = try gateway(origin)
        for accepts in ["Accept-Encoding: gzip", "Accept-Encoding: identity"] {
            #expect(gateway.get("/", accepts).content == nil)
        }
    }

    @Test("five megabytes reach slow and fast clients in both forms")
    func fiveMegabytesReachSlowAndFastClientsInBothForms() throws {
        let body = text(5_000_000)
        let origin = server { [html] _ in response(html, body) }
        let gateway = try gateway(origin)
        #expect(gateway.get("/", "Accept-Encoding: gzip", receiveBuffer: 20_000).content == body)
        #expect(store(gateway).content == body)
        gateway.expectForSlowAndFast(body)
        #expect(origin.requests.count == 1)
    }

    @Test("zeros a thousand times larger than what is stored are inflated whole")
    func zerosAThousandTimesLargerThanWhatIsStoredAreInflatedWhole() throws {
        let body = [UInt8](repeating: 48, count: 20_000_000)
        let origin = server { [html] _ in response(html, body) }
        let gateway = try gateway(origin)
        #expect(store(gateway).body.count < 40_000)
        let plain = gateway.get("/", receiveBuffer: 200_000)
        #expect(plain.isHit)
        #expect(plain.content == body)
        #expect(gateway.get("/", "Range: bytes=-3").body == [48, 48, 48])
    }

    @Test("inflating that takes long lets others go first")
    func anInflatingThatTakesLongLetsOthersGoFirst() throws {
        let body = [UInt8](repeating: 48, count: 50_000_000)
        let origin = server { [html] head in response(html, head.contains("/small") ? [49] : body) }
        let gateway = try gateway(origin)
        #expect(store(gateway, "/large").isHit)
        #expect(store(gateway, "/small").isHit)
        let first = gateway.connect()
        let second = gateway.connect()
        // Its client takes all as fast as it is inflated.
        first.send("GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let whole = Lock<[UInt8]>([])
        let reader = Thread { [body] in
            let reply = CodedReply(first.receiveBytes())
            whole.withLock { $0 = reply.body == body ? [1] : [0] }
        }
        reader.start()
        second.send("GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(CodedReply(second.receiveBytes()).body == [49])
        eventually { whole.withLock { !$0.isEmpty } }
        #expect(whole.withLock { $0 } == [1])
        let order = gateway.log().filter { $0.contains("GET /small") || $0.contains("GET /large") }.suffix(2)
        #expect(order.first?.contains("/small") == true && order.last?.contains("/large") == true, "\(order)")
    }

    @Test("what is asked for repeatedly without gzip is always what is stored now")
    func whatIsAskedForRepeatedlyWithoutGzipIsAlwaysWhatIsStoredNow() throws {
        let turn = Lock(1)
        let origin = server { [html] head in
            let number = turn.withLock { $0 }
            return response(html + "\nX-Turn: \(number)", text(number == 2 ? 262_144 : 50_000, seed: UInt64(number)))
        }
        let gateway = try gateway(origin) { $0.cache.honoursReload = true }
        for number in 1...3 {
            turn.withLock { $0 = number }
            let body = text(number == 2 ? 262_144 : 50_000, seed: UInt64(number))
            #expect(gateway.get("/", "Cache-Control: no-cache").content == body)
            #expect(
                gateway.get("/", "Accept-Encoding: gzip") { $0["x-turn"] == "\(number)" && $0.isHit }.isGzip == true)
            for _ in 0..<5 {
                let reply = gateway.get()
                #expect(reply.isHit && reply.content == body)
                #expect(reply["content-length"] == "\(body.count)")
                #expect(gateway.get("/", "Range: bytes=7-40006").body == Array(body[7...40_006]))
                #expect(gateway.get("/", "Accept-Encoding: gzip").content == body)
                #expect(gateway.get("/", method: "HEAD")["content-length"] == "\(body.count)")
                #expect(gateway.get("/", "If-None-Match: \"v1\"").status == 304)
            }
        }
    }

    @Test("what is not compressible is stored as it came")
    func whatIsNotCompressibleIsStoredAsItCame() throws {
        let body = text(2_000)
        for (path, fields) in [
            ("/png", "Content-Type: image/png"), ("/sse", "Content-Type: text/event-stream"),
            ("/fixed", "Content-Type: text/html\nCache-Control: no-transform"),
            ("/coded", "Content-Type: text/html\nContent-Encoding: br"),
        ] {
            let origin = server { _ in response(fields + "\nETag: \"v1\"\nCache-Control: max-age=60", body) }
            let gateway = try gateway(origin)
            let reply = store(gateway, path)
            #expect(!reply.isGzip)
            #expect(reply.body == body)
            #expect(reply["etag"] == "\"v1\"")
            #expect(reply.values("vary") == [])
        }
    }

    @Test("the setting turns it off")
    func theSettingTurnsItOff() throws {
        let body = text(2_000)
        let origin = server { [html] _ in response(html, body) }
        let gateway = try gateway(origin) { $0.cache.compresses = false }
        let reply = store(gateway)
        #expect(!reply.isGzip)
        #expect(reply.body == body)
        #expect(reply.values("vary") == [])
    }

    @Test("fields that a route removes do not disturb the form")
    func fieldsThatARouteRemovesDoNotDisturbTheForm() throws {
        let body = text(2_000)
        let origin = server { [html] _ in response(html + "\nX-Secret: 1", body) }
        let gateway = try gateway(origin) { configuration in
            var route = Configuration.Route(action: .pool("default"))
            route.responseFields = [.remove(name: "X-Secret")]
            configuration.routes = [route]
        }
        let coded = store(gateway)
        #expect(coded["etag"] == "W/\"v1\"")
        #expect(coded.content == body)
        #expect(coded["x-secret"] == nil)
        #expect(gateway.get()["etag"] == "\"v1\"")
    }
}
