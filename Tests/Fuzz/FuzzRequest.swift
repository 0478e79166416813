// SPDX-License-Identifier: Apache-2.0
// Oracle: no crash; the same answer at an arbitrary cut; ranges within bounds; what is written again reads the same.

import Bytes
import HTTP

/// One input of the fuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRequest(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 2 else { return 0 }
    let input = unsafe UnsafeBufferPointer(start: start, count: count)
    // Two bytes choose the cut and the limits, the rest is what comes in.
    let choice = Int(input[0]) << 8 | Int(input[1])
    let bytes = Array(input.dropFirst(2))
    let limits =
        choice & 1 == 0 ? HeadLimits() : HeadLimits(headBytes: 200 + choice & 0xFF, lineBytes: 60, fields: 4)
    var whole = RequestHead()
    let answer = parse(bytes, bytes.count, limits, &whole)
    var pieced = RequestHead()
    let again = parse(bytes, bytes.isEmpty ? 0 : choice % bytes.count, limits, &pieced)
    check(answer == again, "another answer when cut")
    guard answer == .complete else { return 0 }
    check(whole.length <= bytes.count && whole.length <= limits.headBytes, "longer than what there is")
    checkSame(whole, bytes, pieced, bytes)
    checkParts(whole, bytes)

    let block = Block(capacity: bytes.count + 64)
    block.append(bytes.span.extracting(whole.methodRange))
    block.append(0x20)
    block.append(bytes.span.extracting(whole.targetRange))
    block.append(whole.version == .http11 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n")
    // The blanks around values are not written again, the blank behind each colon is: it may not have been there.
    let room = Block(capacity: bytes.count + 8 * FieldTable.capacity)
    for position in 0..<whole.fields.count {
        let field = whole.fields[position]
        room.appendField(
            name: bytes.span.extracting(field.nameRange), value: bytes.span.extracting(field.valueRange))
    }
    let copy = array(block) + array(room) + [0x0D, 0x0A]
    var second = RequestHead()
    let large = HeadLimits(headBytes: 65_535, lineBytes: 65_535)
    check(parse(copy, copy.count, large, &second) == .complete, "what was written is refused")
    check(second.length == copy.count, "what was written has another length")
    checkSame(whole, bytes, second, copy)
    return 0
}

private func parse(_ bytes: [UInt8], _ cut: Int, _ limits: HeadLimits, _ head: inout RequestHead) -> Answer {
    var parser = RequestParser()
    do {
        if try parser.parse(bytes.span.extracting(first: cut), limits: limits, into: &head) { return .complete }
        return try parser.parse(bytes.span, limits: limits, into: &head) ? .complete : .more
    } catch {
        return .refused(error)
    }
}

private func checkSame(_ one: borrowing RequestHead, _ first: [UInt8], _ two: borrowing RequestHead, _ second: [UInt8])
{
    check(one.method == two.method && one.version == two.version, "another start")
    check(one.targetForm == two.targetForm && one.framing == two.framing, "another framing")
    check(one.connection == two.connection && one.isPersistent == two.isPersistent, "another connection")
    check(one.expectsContinue == two.expectsContinue && one.upgrade == two.upgrade, "another expectation")
    checkSame(first, one.methodRange, second, two.methodRange)
    checkSame(first, one.targetRange, second, two.targetRange)
    checkSame(first, one.authorityRange, second, two.authorityRange)
    checkSame(first, one.pathRange, second, two.pathRange)
    check((one.queryRange == nil) == (two.queryRange == nil), "another query")
    if let query = one.queryRange, let other = two.queryRange { checkSame(first, query, second, other) }
    if let upgrade = one.upgradeRange, let other = two.upgradeRange { checkSame(first, upgrade, second, other) }
    checkSame(one.fields, first, two.fields, second)
}

/// What must hold for every request that was understood, whatever the parser does.
private func checkParts(_ head: borrowing RequestHead, _ bytes: [UInt8]) {
    for byte in bytes[head.targetRange] { check(byte > 0x20 && byte < 0x7F && byte != 0x23, "a byte in the target") }
    var hosts = 0
    var lengths = 0
    var codings = 0
    for position in 0..<head.fields.count {
        switch head.fields[position].name {
        case .host: hosts += 1
        case .contentLength: lengths += 1
        case .transferEncoding: codings += 1
        default: break
        }
    }
    check(hosts == 1 || head.version == .http10 && hosts == 0, "hosts")
    check(lengths + codings <= 1, "framed twice")
    switch head.framing {
    case .none: check(lengths + codings == 0, "framing was ignored")
    case .length: check(lengths == 1, "a length from nowhere")
    case .chunked: check(codings == 1 && head.version == .http11, "a coding from nowhere")
    case .untilClose: check(false, "a request until close")
    }
    // The normal form: never with a segment to climb by, and the fast check agrees with the slow way.
    let path = bytes.span.extracting(head.pathRange)
    let block = Block(capacity: path.count + 1)
    if PathNormaliser.normalise(path, into: block) {
        let normal = array(block)
        check(normal.first == 0x2F, "a form without a slash")
        for segment in normal.split(separator: 0x2F, omittingEmptySubsequences: false) {
            check(segment != [0x2E] && segment != [0x2E, 0x2E], "dots are left")
        }
        let isNormal = PathNormaliser.isNormal(path)
        if isNormal { check(normal == Array(bytes[head.pathRange]), "a normal path was changed") }
    }
}
