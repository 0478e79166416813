// SPDX-License-Identifier: Apache-2.0
// Stored responses in their two forms, through a running gateway.

import Bytes
import Foundation
import Settings
import Synchronization
import TestSupport
import XCTest

final class GzipTests: XCTestCase {
    private let folder = CacheFolder()
    private let html = "Content-Type: text/html\nETag: \"v1\"\nCache-Control: max-age=60"

    private func gateway(
        _ origin: ScriptedServer, workers: Int = 1, _ configure: (inout Configuration) -> Void = { _ in }
    ) throws -> RunningGateway {
        try RunningGateway(upstreams: [origin.port], workers: workers) { configuration in
            configuration.cache.isOn = true
            configuration.cache.directory = folder.path
            configure(&configuration)
        }
    }

    /// Waits until the response is stored, so that its length is known in both forms.
    private func store(_ gateway: RunningGateway, _ path: String = "/") -> CodedReply {
        gateway.get(path, "Accept-Encoding: gzip") { $0.isHit && $0["content-length"] != nil }
    }

    func testOneStoredResponseServesBothForms() throws {
        let body = text(20_000)
        for isChunked in [false, true] {
            let origin = server { [html] _ in response(html, body, isChunked: isChunked) }
            let gateway = try gateway(origin)
            let first = gateway.get("/\(isChunked)")
            XCTAssertTrue(first.content == body)
            XCTAssertFalse(first.isGzip)
            XCTAssertEqual(first["vary"], "Accept-Encoding")

            let coded = store(gateway, "/\(isChunked)")
            XCTAssertTrue(coded.isGzip)
            XCTAssertEqual(coded["content-length"], "\(coded.body.count)")
            XCTAssertLessThan(coded.body.count, 13_000)
            XCTAssertTrue(coded.content == body)
            XCTAssertEqual(coded["etag"], "W/\"v1\"")
            XCTAssertEqual(coded["vary"], "Accept-Encoding")

            let plain = gateway.get("/\(isChunked)")
            XCTAssertTrue(plain.isHit)
            XCTAssertEqual(plain.values("content-encoding"), [])
            XCTAssertEqual(plain["content-length"], "20000")
            XCTAssertTrue(plain.body == body)
            XCTAssertEqual(plain["etag"], "\"v1\"")
            XCTAssertEqual(plain["vary"], "Accept-Encoding")
            XCTAssertEqual(origin.requests.count, 1)
        }
    }

    /// Whether the head and the body come together or one after the other.
    func testContentThatDoesNotBecomeSmallerIsStoredAsItCame() throws {
        var generator = SystemRandomNumberGenerator()
        let body = (0..<40_000).flatMap { _ in unsafe withUnsafeBytes(of: generator.next()) { unsafe Array($0) } }
        for isTorn in [false, true] {
            let origin = ScriptedServer { [html] peer, _, server in
                server.note(peer.receiveMessage().head)
                let bytes = response(html, body)
                let head = isTorn ? bytes.count - body.count : 0
                if isTorn { _ = peer.send(Array(bytes[..<head])) }
                usleep(1_000)
                _ = peer.send(Array(bytes[head...]))
                _ = peer.receiveMessage()
            }
            let gateway = try gateway(origin)
            let path = "/\(isTorn)"
            XCTAssertTrue(gateway.get(path, "Accept-Encoding: gzip").body == body)
            let stored = gateway.get(path, "Accept-Encoding: gzip") { $0.isHit }
            XCTAssertFalse(stored.isGzip)
            XCTAssertEqual(stored["etag"], "\"v1\"")
            XCTAssertTrue(stored.body == body)
            XCTAssertEqual(origin.requests.count, 1)
        }
    }

    func testAHeadDoesNotWaitForContentThatIsSlow() throws {
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
        XCTAssertTrue(client.receiveHead().hasPrefix("HTTP/1.1 200 OK"))
        gate.open()
        XCTAssertTrue(client.receiveBytes(count: body.count) == body)
    }

    func testBothFormsSurviveARestart() throws {
        let body = text(700_000)
        let origin = server { [html] _ in response(html, body) }
        let first = try gateway(origin)
        XCTAssertTrue(first.get("/", "Accept-Encoding: gzip").content == body)
        XCTAssertTrue(store(first).isHit)
        first.stop()
        let second = try gateway(origin)
        let coded = store(second)
        XCTAssertTrue(coded.isGzip && coded.isHit)
        XCTAssertTrue(coded.content == body)
        let plain = second.get()
        XCTAssertEqual(plain["content-length"], "700000")
        XCTAssertTrue(plain.content == body)
        XCTAssertEqual(origin.requests.count, 1)
    }

    func testTheWeightsOfAcceptEncodingDecide() throws {
        let body = text(2_000)
        let origin = server { [html] _ in response(html, body) }
        let gateway = try gateway(origin)
        XCTAssertTrue(store(gateway).isHit)
        for (field, isGzip) in [
            ("gzip", true), ("GZIP", true), ("x-gzip", true), ("gzip;q=0", false), ("gzip;q=0.5", true), ("*", true),
            ("*;q=0", false), ("identity;q=0, gzip;q=0.1", true), ("gzip;q=0.5, identity", false),
            ("br, deflate", false),
            ("gzip;q=0, *", false), ("identity;q=0", false), ("", false), ("br, gzip", true), ("gzip;q=2", false),
        ] {
            let reply = gateway.get("/", "Accept-Encoding: \(field)")
            XCTAssertEqual(reply.isGzip, isGzip, field)
            XCTAssertTrue(reply.content == body, field)
            XCTAssertTrue(reply.isHit)
        }
        // Who forbids a transformation gets what the origin sent.
        XCTAssertFalse(gateway.get("/", "Accept-Encoding: gzip", "Cache-Control: no-transform").isGzip)
    }

    func testVaryIsAddedToWhatTheOriginSaysAndNeverTwice() throws {
        let body = text(2_000)
        for (vary, values) in [
            ("Accept-Language", ["Accept-Language", "Accept-Encoding"]), ("accept-encoding", ["accept-encoding"]),
            ("Accept-Language, Accept-Encoding", ["Accept-Language, Accept-Encoding"]),
        ] {
            let origin = server { [html] _ in response(html + "\nVary: \(vary)", body) }
            let gateway = try gateway(origin)
            let path = "/" + vary.filter { $0.isLetter }
            let coded = store(gateway, path)
            XCTAssertTrue(coded.isGzip)
            XCTAssertEqual(coded.values("vary"), values)
            XCTAssertEqual(gateway.get(path).values("vary"), values)
        }
    }

    func testConditionsMatchTheTagOfEitherForm() throws {
        let body = text(2_000)
        let origin = server { [html] _ in response(html, body) }
        let gateway = try gateway(origin)
        XCTAssertTrue(store(gateway).isHit)
        for tag in ["\"v1\"", "W/\"v1\"", "\"x\", W/\"v1\"", "*"] {
            let coded = gateway.get("/", "Accept-Encoding: gzip", "If-None-Match: \(tag)")
            XCTAssertEqual(coded.status, 304)
            XCTAssertEqual(coded["etag"], "W/\"v1\"")
            XCTAssertEqual(coded["vary"], "Accept-Encoding")
            XCTAssertEqual(coded.values("content-encoding"), [])
            let plain = gateway.get("/", "If-None-Match: \(tag)")
            XCTAssertEqual(plain.status, 304)
            XCTAssertEqual(plain["etag"], "\"v1\"")
            XCTAssertEqual(plain["vary"], "Accept-Encoding")
        }
        let other = gateway.get("/", "Accept-Encoding: gzip", "If-None-Match: \"v2\"")
        XCTAssertEqual(other.status, 200)
        XCTAssertTrue(other.content == body)
        XCTAssertEqual(other["etag"], "W/\"v1\"")
        XCTAssertEqual(origin.requests.count, 1)
    }

    func testRangesAreThoseOfTheIdentityForm() throws {
        for (path, size) in [("/small", 20_000), ("/large", 900_000)] {
            let body = text(size)
            let origin = server { [html] _ in response(html, body) }
            let gateway = try gateway(origin)
            XCTAssertTrue(store(gateway, path).isHit)
            for accepts in ["Accept-Encoding: gzip", "Accept-Encoding: br"] {
                for (range, bytes) in [
                    ("0-0", 0..<1), ("5-104", 5..<105), ("-10", size - 10..<size), ("\(size - 1)-", size - 1..<size),
                    ("0-", 0..<size), ("\(size / 2)-\(size / 2 + 9_999)", size / 2..<min(size, size / 2 + 10_000)),
                ] {
                    let part = gateway.get(path, accepts, "Range: bytes=\(range)")
                    XCTAssertEqual(part.status, 206, range)
                    XCTAssertEqual(part.values("content-encoding"), [])
                    XCTAssertEqual(part["content-range"], "bytes \(bytes.lowerBound)-\(bytes.upperBound - 1)/\(size)")
                    XCTAssertEqual(part["content-length"], "\(bytes.count)")
                    XCTAssertTrue(part.isWhole && part.body == Array(body[bytes]), range)
                    XCTAssertEqual(part["etag"], "\"v1\"")
                    XCTAssertEqual(part["vary"], "Accept-Encoding")
                }
                let beyond = gateway.get(path, accepts, "Range: bytes=\(size)-")
                XCTAssertEqual(beyond.status, 416)
                XCTAssertEqual(beyond["content-range"], "bytes */\(size)")
                XCTAssertTrue(
                    gateway.get(path, accepts, "Range: bytes=1-2", "If-Range: \"v1\"").body == Array(body[1...2]))
                // A weak tag, which is that of gzip, never holds parts together.
                let weak = gateway.get(path, accepts, "Range: bytes=1-2", "If-Range: W/\"v1\"")
                XCTAssertEqual(weak.status, 200)
                XCTAssertTrue(weak.content == body)
            }
            XCTAssertEqual(origin.requests.count, 1)
        }
    }

    func testADateDoesNotTellTheFormsApartSoItRepairsNoGzip() throws {
        let body = text(2_000)
        let fields = """
            Content-Type: text/css
            Cache-Control: max-age=60
            Last-Modified: Mon, 02 Mar 2026 10:00:00 GMT
            Date: \(date())
            """
        let origin = server { _ in response(fields, body) }
        let gateway = try gateway(origin)
        XCTAssertTrue(store(gateway).isHit)
        let condition = "If-Range: Mon, 02 Mar 2026 10:00:00 GMT"
        XCTAssertEqual(gateway.get("/", "Range: bytes=1-2", condition).status, 206)
        let reply = gateway.get("/", "Accept-Encoding: gzip", "Range: bytes=1-2", condition)
        XCTAssertEqual(reply.status, 200)
        XCTAssertTrue(reply.content == body)
    }

    private func date() -> String {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "GMT")
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return format.string(from: Date())
    }

    func testHeadHasTheFieldsOfGet() throws {
        let body = text(20_000)
        let origin = server { [html] _ in response(html, body) }
        let gateway = try gateway(origin)
        XCTAssertTrue(store(gateway).isHit)
        for accepts in ["Accept-Encoding: gzip", "Accept-Encoding: identity"] {
            let get = gateway.get("/", accepts)
            let head = gateway.get("/", method: "HEAD", accepts)
            for name in ["content-encoding", "content-length", "etag", "vary", "content-type"] {
                XCTAssertEqual(head.values(name), get.values(name), name)
            }
            XCTAssertTrue(head.isHit)
            XCTAssertEqual(head.body, [])
        }
    }

    func testA304BringsTheFieldsUpToDateAndTheBodyStays() throws {
        let body = text(400_000)
        let origin = server { head in
            guard head.contains("If-None-Match: \"v1\"") else {
                return response("Content-Type: text/html\nETag: \"v1\"\nCache-Control: max-age=0\nX-Turn: 1", body)
            }
            return Array(
                "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\nCache-Control: max-age=60\r\nX-Turn: 2\r\n\r\n".utf8)
        }
        let gateway = try gateway(origin)
        XCTAssertTrue(gateway.get().content == body)
        let coded = gateway.get("/", "Accept-Encoding: gzip") { $0["x-turn"] == "2" }
        XCTAssertTrue(coded.content == body)
        XCTAssertTrue(coded.isGzip)
        XCTAssertEqual(coded["etag"], "W/\"v1\"")
        let hit = store(gateway)
        XCTAssertEqual(hit["x-turn"], "2")
        XCTAssertEqual(hit["etag"], "W/\"v1\"")
        XCTAssertTrue(hit.content == body)
        let plain = gateway.get()
        XCTAssertEqual(plain["x-turn"], "2")
        XCTAssertEqual(plain["content-length"], "400000")
        XCTAssertEqual(plain["etag"], "\"v1\"")
        XCTAssertTrue(plain.content == body)
    }

    func testWhatIsBeingDownloadedIsSentInBothForms() throws {
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
            XCTAssertGreaterThanOrEqual(bytes.count, index % 2 == 0 ? 70_000 : 140_000)
            begun.append(bytes)
        }
        go.signal()
        for (index, peer) in peers.enumerated() {
            let reply = CodedReply(begun[index] + peer.receiveBytes())
            XCTAssertEqual(reply.isGzip, index % 2 == 0)
            XCTAssertEqual(reply["etag"], index % 2 == 0 ? "W/\"v1\"" : "\"v1\"")
            XCTAssertEqual(reply["transfer-encoding"], index % 2 == 0 ? "chunked" : nil)
            XCTAssertEqual(reply["content-length"], index % 2 == 0 ? nil : "300000")
            XCTAssertTrue(reply.content == body)
        }
        XCTAssertEqual(origin.requests.count, 1)
    }

    func testADownloadThatBreaksOffIsWholeInNeitherForm() throws {
        let body = text(300_000)
        let origin = ScriptedServer { [html] peer, _, _ in
            if peer.receiveHead().isEmpty { return }
            peer.send(Array(response(html, body)[..<200_000]))
            peer.close()
        }
        let gateway = try gateway(origin)
        for accepts in ["Accept-Encoding: gzip", "Accept-Encoding: identity"] {
            XCTAssertNil(gateway.get("/", accepts).content)
        }
    }

    func testFiveMegabytesReachSlowAndFastClientsInBothForms() throws {
        let body = text(5_000_000)
        let origin = server { [html] _ in response(html, body) }
        let gateway = try gateway(origin)
        XCTAssertTrue(gateway.get("/", "Accept-Encoding: gzip", receiveBuffer: 20_000).content == body)
        XCTAssertTrue(store(gateway).content == body)
        let peers = (0..<4).map { index in
            let peer = gateway.connect(receiveBuffer: index < 2 ? 20_000 : nil)
            let accepts = index % 2 == 0 ? "Accept-Encoding: gzip\r\n" : ""
            peer.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\(accepts)\r\n")
            return peer
        }
        for (index, peer) in peers.enumerated() {
            let reply = CodedReply(peer.receiveBytes(pausing: index < 2))
            XCTAssertEqual(reply.isGzip, index % 2 == 0)
            XCTAssertTrue(reply.content == body)
        }
        XCTAssertEqual(origin.requests.count, 1)
    }

    func testZerosAThousandTimesLargerThanWhatIsStoredAreInflatedWhole() throws {
        let body = [UInt8](repeating: 48, count: 20_000_000)
        let origin = server { [html] _ in response(html, body) }
        let gateway = try gateway(origin)
        XCTAssertLessThan(store(gateway).body.count, 40_000)
        let plain = gateway.get("/", receiveBuffer: 200_000)
        XCTAssertTrue(plain.isHit)
        XCTAssertTrue(plain.content == body)
        XCTAssertEqual(gateway.get("/", "Range: bytes=-3").body, [48, 48, 48])
    }

    func testAnInflatingThatTakesLongLetsOthersGoFirst() throws {
        let body = [UInt8](repeating: 48, count: 50_000_000)
        let origin = server { [html] head in response(html, head.contains("/small") ? [49] : body) }
        let gateway = try gateway(origin)
        XCTAssertTrue(store(gateway, "/large").isHit)
        XCTAssertTrue(store(gateway, "/small").isHit)
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
        XCTAssertEqual(CodedReply(second.receiveBytes()).body, [49])
        XCTAssertTrue(eventually { whole.withLock { !$0.isEmpty } })
        XCTAssertEqual(whole.withLock { $0 }, [1])
        let order = gateway.log().filter { $0.contains("GET /small") || $0.contains("GET /large") }.suffix(2)
        XCTAssertTrue(order.first?.contains("/small") == true && order.last?.contains("/large") == true, "\(order)")
    }

    func testWhatIsAskedForRepeatedlyWithoutGzipIsAlwaysWhatIsStoredNow() throws {
        let turn = Lock(1)
        let origin = server { [html] head in
            let number = turn.withLock { $0 }
            return response(html + "\nX-Turn: \(number)", text(number == 2 ? 262_144 : 50_000, seed: UInt64(number)))
        }
        let gateway = try gateway(origin) { $0.cache.honoursReload = true }
        for number in 1...3 {
            turn.withLock { $0 = number }
            let body = text(number == 2 ? 262_144 : 50_000, seed: UInt64(number))
            XCTAssertTrue(gateway.get("/", "Cache-Control: no-cache").content == body)
            XCTAssertEqual(
                gateway.get("/", "Accept-Encoding: gzip") { $0["x-turn"] == "\(number)" && $0.isHit }.isGzip, true)
            for _ in 0..<5 {
                let reply = gateway.get()
                XCTAssertTrue(reply.isHit && reply.content == body)
                XCTAssertEqual(reply["content-length"], "\(body.count)")
                XCTAssertTrue(gateway.get("/", "Range: bytes=7-40006").body == Array(body[7...40_006]))
                XCTAssertTrue(gateway.get("/", "Accept-Encoding: gzip").content == body)
                XCTAssertEqual(gateway.get("/", method: "HEAD")["content-length"], "\(body.count)")
                XCTAssertEqual(gateway.get("/", "If-None-Match: \"v1\"").status, 304)
            }
        }
    }

    func testWhatIsNotCompressibleIsStoredAsItCame() throws {
        let body = text(2_000)
        for (path, fields) in [
            ("/png", "Content-Type: image/png"), ("/sse", "Content-Type: text/event-stream"),
            ("/fixed", "Content-Type: text/html\nCache-Control: no-transform"),
            ("/coded", "Content-Type: text/html\nContent-Encoding: br"),
        ] {
            let origin = server { _ in response(fields + "\nETag: \"v1\"\nCache-Control: max-age=60", body) }
            let gateway = try gateway(origin)
            let reply = store(gateway, path)
            XCTAssertFalse(reply.isGzip)
            XCTAssertTrue(reply.body == body)
            XCTAssertEqual(reply["etag"], "\"v1\"")
            XCTAssertEqual(reply.values("vary"), [])
        }
    }

    func testTheSettingTurnsItOff() throws {
        let body = text(2_000)
        let origin = server { [html] _ in response(html, body) }
        let gateway = try gateway(origin) { $0.cache.compresses = false }
        let reply = store(gateway)
        XCTAssertFalse(reply.isGzip)
        XCTAssertTrue(reply.body == body)
        XCTAssertEqual(reply.values("vary"), [])
    }

    func testFieldsThatARouteRemovesDoNotDisturbTheForm() throws {
        let body = text(2_000)
        let origin = server { [html] _ in response(html + "\nX-Secret: 1", body) }
        let gateway = try gateway(origin) { configuration in
            var route = Configuration.Route(action: .pool("default"))
            route.responseFields = [.remove(name: "X-Secret")]
            configuration.routes = [route]
        }
        let coded = store(gateway)
        XCTAssertEqual(coded["etag"], "W/\"v1\"")
        XCTAssertTrue(coded.content == body)
        XCTAssertNil(coded["x-secret"])
        XCTAssertEqual(gateway.get()["etag"], "\"v1\"")
    }
}
