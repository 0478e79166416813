// SPDX-License-Identifier: Apache-2.0
// Runs a sample at every point where the network may cut it, and says what came out as text that can be compared.

import Bytes
import HTTP
import Testing

/// Bytes of a literal; `\u{80}`–`\u{FF}` stand for single bytes.
func latin1(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
}

func text(_ bytes: [UInt8], _ range: Range<Int>) -> String {
    String(String.UnicodeScalarView(bytes[range].map { Unicode.Scalar($0) }))
}

/// What a parser or decoder made of a sample.
enum Outcome: Equatable, CustomStringConvertible {
    case complete(String)
    case more
    case refused(ParseFailure.Reason, Int)

    var description: String {
        switch self {
        case .complete(let text): "complete: \(text)"
        case .more: "needs more"
        case .refused(let reason, let offset): "refused: \(reason) at \(offset)"
        }
    }
}

func describe(_ head: borrowing RequestHead, _ bytes: [UInt8]) -> String {
    var parts = [
        "\(head.method) \(text(bytes, head.methodRange)) \(head.version) \(head.targetForm)",
        "target \(text(bytes, head.targetRange)) authority \(text(bytes, head.authorityRange))",
        "path \(text(bytes, head.pathRange)) query \(head.queryRange.map { text(bytes, $0) } ?? "-")",
        "\(head.framing) persistent \(head.isPersistent) expects \(head.expectsContinue)",
        "connection \(head.connection.rawValue) upgrade \(head.upgrade) length \(head.length)",
    ]
    for position in 0..<head.fields.count {
        let field = head.fields[position]
        parts.append("\(field.name) \(text(bytes, field.nameRange))=\(text(bytes, field.valueRange))")
    }
    return parts.joined(separator: "|")
}

func describe(_ head: borrowing ResponseHead, _ bytes: [UInt8]) -> String {
    var parts = [
        "\(head.version) \(head.status) \(text(bytes, head.reasonRange)) \(head.framing)",
        "persistent \(head.isPersistent) timeout \(head.keepAliveTimeout.map(String.init) ?? "-")",
        "connection \(head.connection.rawValue) upgrade \(head.hasUpgrade) length \(head.length)",
    ]
    for position in 0..<head.fields.count {
        let field = head.fields[position]
        parts.append("\(field.name) \(text(bytes, field.nameRange))=\(text(bytes, field.valueRange))")
    }
    return parts.joined(separator: "|")
}

/// Parses `bytes`, shown to the parser in prefixes that end at `cuts` and then as a whole.
func parseRequest(
    _ bytes: [UInt8], cuts: [Int] = [], limits: HeadLimits = HeadLimits(), head: inout RequestHead
)
    -> Outcome
{
    var parser = RequestParser()
    do {
        for end in cuts + [bytes.count] {
            if try parser.parse(bytes.span.extracting(first: end), limits: limits, into: &head) {
                return .complete(describe(head, bytes))
            }
        }
        return .more
    } catch {
        return .refused(error.reason, error.offset)
    }
}

func parseResponse(
    _ bytes: [UInt8], cuts: [Int] = [], limits: HeadLimits = HeadLimits(), method: HTTP.Method = .get,
    head: inout ResponseHead
) -> Outcome {
    var parser = ResponseParser()
    do {
        for end in cuts + [bytes.count] {
            let prefix = bytes.span.extracting(first: end)
            if try parser.parse(prefix, limits: limits, requestMethod: method, into: &head) {
                return .complete(describe(head, bytes))
            }
        }
        return .more
    } catch {
        return .refused(error.reason, error.offset)
    }
}

/// The outcome for a request, the same at every cut and byte by byte.
func request(
    _ sample: String, limits: HeadLimits = HeadLimits(), _ location: SourceLocation = #_sourceLocation
)
    -> Outcome
{
    let bytes = latin1(sample)
    var head = RequestHead()
    let whole = parseRequest(bytes, limits: limits, head: &head)
    for cut in 0..<bytes.count {
        let again = parseRequest(bytes, cuts: [cut], limits: limits, head: &head)
        if again != whole { Issue.record("cut at \(cut): \(again), whole: \(whole)", sourceLocation: location) }
    }
    let dripped = parseRequest(bytes, cuts: Array(0..<bytes.count), limits: limits, head: &head)
    if dripped != whole { Issue.record("dripped: \(dripped), whole: \(whole)", sourceLocation: location) }
    return whole
}

/// The outcome for a response, the same at every cut and byte by byte.
func response(
    _ sample: String, method: HTTP.Method = .get, limits: HeadLimits = HeadLimits(),
    _ location: SourceLocation = #_sourceLocation
) -> Outcome {
    let bytes = latin1(sample)
    var head = ResponseHead()
    let whole = parseResponse(bytes, limits: limits, method: method, head: &head)
    for cut in 0..<bytes.count {
        let again = parseResponse(bytes, cuts: [cut], limits: limits, method: method, head: &head)
        if again != whole { Issue.record("cut at \(cut): \(again), whole: \(whole)", sourceLocation: location) }
    }
    let dripped = parseResponse(bytes, cuts: Array(0..<bytes.count), limits: limits, method: method, head: &head)
    if dripped != whole { Issue.record("dripped: \(dripped), whole: \(whole)", sourceLocation: location) }
    return whole
}

/// The reason of a refusal, or nil.
func reason(_ outcome: Outcome) -> ParseFailure.Reason? {
    if case .refused(let reason, _) = outcome { return reason }
    return nil
}

/// The head of a request that must be complete.
func head(of sample: String, _ location: SourceLocation = #_sourceLocation) -> RequestHead {
    var head = RequestHead()
    let outcome = parseRequest(latin1(sample), head: &head)
    if case .complete = outcome { return head }
    Issue.record("\(outcome)", sourceLocation: location)
    return head
}

/// The head of a response that must be complete.
func responseHead(
    _ sample: String, method: HTTP.Method = .get, _ location: SourceLocation = #_sourceLocation
)
    -> ResponseHead
{
    var head = ResponseHead()
    let outcome = parseResponse(latin1(sample), method: method, head: &head)
    if case .complete = outcome { return head }
    Issue.record("\(outcome)", sourceLocation: location)
    return head
}

/// Decodes a body given in pieces that end at `cuts`.
func decode(_ bytes: [UInt8], _ framing: Framing, cuts: [Int] = []) -> (outcome: Outcome, trailers: Trailers?) {
    var decoder = BodyDecoder(framing)
    var content: [UInt8] = []
    var start = 0
    do {
        for end in cuts + [bytes.count] {
            let piece = bytes.span.extracting(start..<end)
            var from = 0
            steps: while true {
                switch try decoder.next(piece, from: &from) {
                case .data(let range):
                    if range.isEmpty { return (.complete("empty data"), nil) }
                    content += bytes[(start + range.lowerBound)..<(start + range.upperBound)]
                case .needMore:
                    if from != piece.count { return (.complete("needs more before the end"), nil) }
                    break steps
                case .end:
                    return (.complete("\(text(content, 0..<content.count))|\(start + from)"), decoder.trailers)
                }
            }
            start = end
        }
        return (decoder.peerClosed() ? .complete("\(text(content, 0..<content.count))|close") : .more, nil)
    } catch {
        return (.refused(error.reason, start + error.offset), nil)
    }
}

/// The outcome for a body, the same at every cut and byte by byte.
func body(_ sample: String, _ framing: Framing = .chunked, _ location: SourceLocation = #_sourceLocation) -> Outcome {
    let bytes = latin1(sample)
    let whole = decode(bytes, framing)
    for cut in 0..<bytes.count {
        let again = decode(bytes, framing, cuts: [cut])
        if again != whole { Issue.record("cut at \(cut): \(again), whole: \(whole)", sourceLocation: location) }
    }
    let dripped = decode(bytes, framing, cuts: Array(0..<bytes.count))
    if dripped != whole { Issue.record("dripped: \(dripped), whole: \(whole)", sourceLocation: location) }
    return whole.outcome
}

/// What `write` appends to a block, as text.
func written(capacity: Int = 4_096, _ write: (Block) -> Void) -> String {
    let block = Block(capacity: capacity)
    write(block)
    return block.readable.string
}
