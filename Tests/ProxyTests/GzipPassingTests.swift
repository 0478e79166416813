// SPDX-License-Identifier: Apache-2.0
// Responses that are not stored, compressed on their way, through a running gateway.

import Foundation
import Settings
import Synchronization
import TestSupport
import Testing

@Suite("Gzip for what is not stored") struct GzipPassingTests {
    private let folder = TemporaryFolder()
    private let json = "Content-Type: application/json\nETag: \"v1\""

    @Test("what is not stored is compressed for those who take it")
    func whatIsNotStoredIsCompressedForWhoTakesIt() throws {
        let body = text(200_000)
        for hasCache in [false, true] {
            for isChunked in [false, true] {
                let origin = server { [json] _ in
                    response(json + "\nCache-Control: no-store", body, isChunked: isChunked)
                }
                let gateway = try RunningGateway(upstreams: [origin.port], cachingIn: hasCache ? folder : nil) {
                    $0.cache.compressesPrivate = true
                }
                let coded = gateway.get("/", "Accept-Encoding: br, gzip")
                #expect(coded.isGzip)
                #expect(coded.content == body)
                #expect(coded.body.count < 130_000)
                #expect(coded["transfer-encoding"] == "chunked")
                #expect(coded.values("content-length") == [])
                #expect(coded["etag"] == "W/\"v1\"")
                #expect(coded["vary"] == "Accept-Encoding")
                for accepts in ["", "gzip;q=0", "identity;q=1, gzip;q=0.9"] {
                    let plain = gateway.get("/", "Accept-Encoding: \(accepts)")
                    #expect(!plain.isGzip)
                    #expect(plain.content == body)
                    #expect(plain["content-length"] == (isChunked ? nil : "200000"))
                    #expect(plain["etag"] == "\"v1\"")
                    #expect(plain["vary"] == "Accept-Encoding")
                }
            }
        }
    }

    @Test("what gains nothing, or must stay as it is, passes untouched")
    func whatGainsNothingOrMustStayAsItIsPassesUntouched() throws {
        let body = text(2_000)
        for (fields, body, request) in [
            ("Content-Type: application/json", Array(body.prefix(859)), "Accept: */*"),
            ("Content-Type: image/jpeg", body, "Accept: */*"),
            ("Content-Type: text/event-stream", body, "Accept: */*"),
            ("Content-Type: text/html\nCache-Control: no-transform", body, "Accept: */*"),
            ("Content-Type: text/html\nContent-Encoding: br", body, "Accept: */*"),
            ("Content-Type: text/html\nRepr-Digest: sha-256=:YQ==:", body, "Accept: */*"),
            ("Content-Type: text/html", body, "Range: bytes=0-9"),
        ] {
            let origin = server { _ in response(fields + "\nETag: \"v1\"", body) }
            let gateway = try RunningGateway(upstreams: [origin.port])
            let reply = gateway.get("/", "Accept-Encoding: gzip", request)
            #expect(!reply.isGzip, "\(fields)")
            #expect(reply.body == body, "\(fields)")
            #expect(reply["content-length"] == "\(body.count)")
            #expect(reply["etag"] == "\"v1\"")
            #expect(reply.values("vary") == [])
        }
    }

    @Test("errors and parts pass untouched")
    func errorsAndPartsPassUntouched() throws {
        let body = text(2_000)
        for status in ["404 Not Found", "500 Internal Server Error", "206 Partial Content", "201 Created"] {
            let range = status.hasPrefix("206") ? "\nContent-Range: bytes 0-1999/4000" : ""
            let origin = server { _ in response("Content-Type: text/html" + range, body, status: status) }
            let gateway = try RunningGateway(upstreams: [origin.port])
            let reply = gateway.get("/", "Accept-Encoding: gzip", "Range: bytes=0-1999")
            #expect(!reply.isGzip)
            #expect(reply.body == body)
        }
    }

    @Test("a client of HTTP/1.0 keeps its connection instead of gzip")
    func aClientOfHTTP10KeepsItsConnectionInsteadOfGzip() throws {
        let body = text(2_000)
        let origin = server { [json] _ in response(json, body) }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let peer = gateway.connect()
        peer.send("GET / HTTP/1.0\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n")
        let message = peer.receiveMessage()
        #expect(message.head.contains("Connection: keep-alive"))
        #expect(message.body == String(decoding: body, as: UTF8.self))
    }

    @Test("the setting turns it off")
    func theSettingTurnsItOff() throws {
        let body = text(2_000)
        let origin = server { [json] _ in response(json, body) }
        let gateway = try RunningGateway(upstreams: [origin.port]) { $0.cache.compresses = false }
        let reply = gateway.get("/", "Accept-Encoding: gzip")
        #expect(!reply.isGzip)
        #expect(reply.body == body)
        #expect(reply.values("vary") == [])
    }

    @Test("HEAD has the fields of GET")
    func headHasTheFieldsOfGet() throws {
        let body = text(2_000)
        let origin = server { head in
            let whole = response("Content-Type: text/html\nETag: \"v1\"\nVary: Accept-Encoding", body)
            return head.hasPrefix("HEAD") ? Array(whole[..<(whole.count - body.count)]) : whole
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        for accepts in ["Accept-Encoding: gzip", "Accept-Encoding: br"] {
            let get = gateway.get("/", accepts)
            let head = gateway.get("/", method: "HEAD", accepts)
            for name in ["content-encoding", "content-length", "etag", "vary", "content-type"] {
                #expect(head.values(name) == get.values(name), "\(name)")
            }
            #expect(get.values("vary") == ["Accept-Encoding"])
            #expect(head.body.isEmpty)
        }
    }

    @Test("a 304 has the tag that the client knows")
    func a304HasTheTagThatTheClientKnows() throws {
        let origin = server { _ in Array("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n".utf8) }
        let gateway = try RunningGateway(upstreams: [origin.port])
        for (asked, answered) in [
            ("W/\"v1\"", "W/\"v1\""), ("\"v1\"", "\"v1\""), ("W/\"v1\", \"v1\"", "\"v1\""), ("*", "\"v1\""),
        ] {
            let reply = gateway.get("/", "Accept-Encoding: gzip", "If-None-Match: \(asked)")
            #expect(reply.status == 304)
            #expect(reply["etag"] == answered)
        }
    }

    @Test("lines that trickle in are not held back")
    func linesThatTrickleInAreNotHeldBack() throws {
        let go = DispatchSemaphore(value: 0)
        let origin = ScriptedServer { peer, _, _ in
            if peer.receiveHead().isEmpty { return }
            peer.send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<20 {
                peer.send("7\r\na line\n\r\n")
                // The next comes only when this one has arrived.
                go.wait()
            }
            peer.send("0\r\n\r\n")
            _ = peer.receiveAll()
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let peer = gateway.connect()
        peer.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n")
        var all = Array(peer.receiveHead().utf8)
        for _ in 0..<20 {
            let piece = peer.receive()
            #expect(!piece.isEmpty)
            all += piece
            go.signal()
        }
        all += peer.receiveBytes()
        let lines = String(repeating: "a line\n", count: 20)
        #expect(CodedReply(all).content.map { String(decoding: $0, as: UTF8.self) } == lines)
    }

    @Test("trailers pass")
    func trailersPass() throws {
        let body = text(2_000)
        let origin = server { [json] _ in
            Array(response(json, body, isChunked: true).dropLast(2)) + Array("X-Sum: 1\r\n\r\n".utf8)
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let peer = gateway.connect()
        peer.send("GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nAccept-Encoding: gzip\r\nConnection: close, te\r\n\r\n")
        let all = peer.receiveBytes()
        #expect(CodedReply(all).content == body)
        #expect(String(decoding: all, as: UTF8.self).hasSuffix("0\r\nX-Sum: 1\r\n\r\n"))
    }

    @Test("five megabytes reach slow and fast clients")
    func fiveMegabytesReachSlowAndFastClients() throws {
        let body = text(5_000_000)
        let origin = server { [json] _ in response(json, body) }
        let gateway = try RunningGateway(upstreams: [origin.port])
        gateway.expectForSlowAndFast(body)
    }

    @Test("a response that breaks off is not whole")
    func aResponseThatBreaksOffIsNotWhole() throws {
        let body = text(300_000)
        let origin = ScriptedServer { [json] peer, _, _ in
            if peer.receiveHead().isEmpty { return }
            peer.send(Array(response(json, body)[..<200_000]))
            peer.close()
        }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let reply = gateway.get("/", "Accept-Encoding: gzip")
        #expect(reply.isGzip)
        #expect(reply.content == nil)
    }

    @Test("clients that leave in between give their encoders back")
    func clientsThatLeaveInBetweenGiveTheirEncodersBack() throws {
        let body = text(1_000_000)
        let origin = server { [json] _ in response(json, body) }
        let gateway = try RunningGateway(upstreams: [origin.port])
        // More than a loop lends at a time.
        for _ in 0..<300 {
            let peer = gateway.connect(receiveBuffer: 4_096)
            peer.send("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
            #expect(peer.receiveHead().contains("Content-Encoding: gzip"))
            peer.reset()
        }
    }

    @Test("requests on one connection are compressed one after the other")
    func requestsOnOneConnectionAreCompressedOneAfterTheOther() throws {
        let origin = server { [json] head in response(json, text(5_000, seed: UInt64(head.utf8.count))) }
        let gateway = try RunningGateway(upstreams: [origin.port])
        let peer = gateway.connect()
        var requests = ""
        for index in 0..<20 {
            let path = String(repeating: "x", count: index)
            let ends = index == 19 ? "Connection: close\r\n" : ""
            requests += "GET /\(path) HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\(ends)\r\n"
        }
        peer.send(requests)
        let all = peer.receiveBytes()
        #expect(String(decoding: all, as: UTF8.self).components(separatedBy: "Content-Encoding: gzip").count == 21)
        #expect(origin.requests.count == 20)
    }
}
