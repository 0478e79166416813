// SPDX-License-Identifier: Apache-2.0
// What the three targets share.

import Bytes
import HTTP

enum Answer: Equatable {
    case complete, more
    case refused(ParseFailure)
}

/// Stops the fuzzer, which keeps the input that led here.
func check(_ condition: Bool, _ sentence: StaticString) {
    if !condition { fatalError("\(sentence)") }
}

func array(_ block: Block) -> [UInt8] {
    let bytes = block.readable
    return [UInt8](unsafeUninitializedCapacity: bytes.count) { buffer, count in
        for offset in 0..<bytes.count { unsafe buffer.initializeElement(at: offset, to: bytes[offset]) }
        count = bytes.count
    }
}

func checkSame(_ first: [UInt8], _ one: Range<Int>, _ second: [UInt8], _ two: Range<Int>) {
    check(first[one] == second[two], "other bytes")
}

func checkSame(_ one: borrowing FieldTable, _ first: [UInt8], _ two: borrowing FieldTable, _ second: [UInt8]) {
    check(one.count == two.count, "another number of fields")
    for position in 0..<one.count {
        check(one[position].name == two[position].name, "another name")
        checkSame(first, one[position].nameRange, second, two[position].nameRange)
        checkSame(first, one[position].valueRange, second, two[position].valueRange)
    }
}
