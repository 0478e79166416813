// SPDX-License-Identifier: Apache-2.0
// Oracle: no crash; the same answer at an arbitrary cut; ranges within bounds; what is written again reads the same.

import Bytes
import HTTP

/// One input of the fuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzResponse(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 2 else { return 0 }
    let input = unsafe UnsafeBufferPointer(start: start, count: count)
    let choice = Int(input[0]) << 8 | Int(input[1])
    let bytes = Array(input.dropFirst(2))
    let limits =
        choice & 1 == 0 ? HeadLimits() : HeadLimits(headBytes: 200 + choice & 0xFF, lineBytes: 60, fields: 4)
    let method: HTTP.Method = choice & 2 == 0 ? .get : choice & 4 == 0 ? .head : .connect
    var whole = ResponseHead()
    let answer = parse(bytes, bytes.count, limits, method, &whole)
    var pieced = ResponseHead()
    let again = parse(bytes, choice % bytes.count, limits, method, &pieced)
    check(answer == again, "another answer when cut")
    guard answer == .complete else { return 0 }
    check(whole.length <= bytes.count && whole.length <= limits.headBytes, "longer than what there is")
    checkSame(whole, bytes, pieced, bytes)
    check((100...999).contains(whole.status), "a status of other than three digits")
    if whole.framing == .untilClose { check(!whole.isPersistent, "used again after until close") }
    if method == .head || whole.status == 204 || whole.status == 304 || whole.status < 200 {
        check(whole.framing == .none, "content where none can be")
    }

    let block = Block(capacity: bytes.count + 64 + 8 * FieldTable.capacity)
    block.appendStatusLine(status: whole.status, reason: bytes.span.extracting(whole.reasonRange))
    if whole.version == .http10 { block.overwrite(at: 7, with: 0x30) }
    for position in 0..<whole.fields.count {
        let field = whole.fields[position]
        block.appendField(
            name: bytes.span.extracting(field.nameRange), value: bytes.span.extracting(field.valueRange))
    }
    block.appendLineEnd()
    let copy = array(block)
    var second = ResponseHead()
    let large = HeadLimits(headBytes: 65_535, lineBytes: 65_535)
    check(parse(copy, copy.count, large, method, &second) == .complete, "what was written is refused")
    check(second.length == copy.count, "what was written has another length")
    checkSame(whole, bytes, second, copy)
    return 0
}

private func parse(
    _ bytes: [UInt8], _ cut: Int, _ limits: HeadLimits, _ method: HTTP.Method, _ head: inout ResponseHead
) -> Answer {
    var parser = ResponseParser()
    do {
        let prefix = bytes.span.extracting(first: cut)
        if try parser.parse(prefix, limits: limits, requestMethod: method, into: &head) { return .complete }
        return try parser.parse(bytes.span, limits: limits, requestMethod: method, into: &head) ? .complete : .more
    } catch {
        return .refused(error)
    }
}

private func checkSame(
    _ one: borrowing ResponseHead, _ first: [UInt8], _ two: borrowing ResponseHead, _ second: [UInt8]
) {
    check(one.status == two.status && one.version == two.version, "another start")
    check(one.framing == two.framing && one.contentLength == two.contentLength, "another framing")
    check(one.connection == two.connection && one.isPersistent == two.isPersistent, "another connection")
    check(one.keepAliveTimeout == two.keepAliveTimeout && one.hasUpgrade == two.hasUpgrade, "another timeout")
    checkSame(first, one.reasonRange, second, two.reasonRange)
    checkSame(one.fields, first, two.fields, second)
}
