// SPDX-License-Identifier: Apache-2.0

import Bytes
import Testing

@Suite("Blocks") struct BlockTests {
    private func text(_ block: Block) -> String { block.readable.string }

    @Test("Appending, consuming, compacting")
    func appending() {
        let block = Block(capacity: 10)
        #expect(block.isEmpty && block.free == 10)
        block.append("hello")
        block.append(0x21)
        #expect(text(block) == "hello!" && block.count == 6 && block.free == 4)
        block.consume(4)
        #expect(text(block) == "o!" && block.start == 4)
        let fits = block.appendPrefix([UInt8](repeating: 0x61, count: 9).span)
        #expect(fits == 4)
        #expect(text(block) == "o!aaaa" && block.free == 0)
        let none = block.appendPrefix([1].span)
        #expect(none == 0)
        block.compact()
        #expect(text(block) == "o!aaaa" && block.free == 4 && block.start == 0)
        block.truncate(to: 2)
        #expect(text(block) == "o!")
        block.overwrite(at: 1, with: 0x3F)
        #expect(text(block) == "o?" && block.bytes(0..<1).string == "o")
        block.consume(2)
        #expect(block.isEmpty && block.start == 0 && block.free == 10)
        block.append(text: "äb")
        #expect(text(block) == "äb")
        block.clear()
        #expect(block.isEmpty)
        block.append([UInt8]().span)
        block.append("")
        #expect(block.isEmpty && block.readable.count == 0)
    }

    @Test(
        "Numbers in decimal",
        arguments: [
            0, 1, 9, 10, 99, 100, 12_345, 9_999_999_999_999_999_999, 10_000_000_000_000_000_000, UInt64.max,
        ])
    func decimal(_ value: UInt64) {
        let block = Block(capacity: 20)
        block.append(decimal: value)
        #expect(text(block) == "\(value)")
    }

    @Test("Numbers with zeros in front")
    func digits() {
        for (value, digits, expected) in [
            (5, 2, "05"), (123, 2, "123"), (0, 4, "0000"), (7, 30, "00000000000000000007"),
        ] {
            let block = Block(capacity: 20)
            block.append(decimal: UInt64(value), digits: digits)
            #expect(text(block) == expected)
        }
    }

    @Test("Numbers in hexadecimal")
    func hexadecimal() {
        for value in [0, 1, 15, 16, 255, 256, 0xABCD_EF01, UInt64.max] {
            let block = Block(capacity: 16)
            block.append(hexadecimal: value)
            #expect(text(block) == String(value, radix: 16))
        }
        for value in [0, 0x0123_4567_89AB_CDEF, 0xFEDC_BA98_7654_3210, UInt64.max] {
            let block = Block(capacity: 16)
            block.append(hexadecimal: value, digits: 16)
            #expect(UInt64(text(block), radix: 16) == value)
            #expect(block.count == 16)
        }
        let block = Block(capacity: 4)
        block.append(hexadecimal: 0x1_23AF, digits: 4)
        #expect(text(block) == "23af")
    }

    @Test("Filling")
    func fill() {
        let block = Block(capacity: 8)
        block.append("ab")
        let outcome = unsafe block.fill { buffer -> (written: Int, outcome: Int) in
            unsafe buffer[0] = 0x63
            return (1, buffer.count)
        }
        #expect(outcome == 6 && text(block) == "abc")
    }

    @Test("A pool hands out the block given back last, empty, and keeps no more than its limit")
    func pool() {
        let pool = BlockPool(blockSize: 16, limit: 1)
        let first = pool.take()
        let second = pool.take()
        first.append("x")
        #expect(pool.inUse == 2)
        pool.give(first)
        pool.give(second)
        #expect(pool.inUse == 0)
        let again = pool.take()
        #expect(again === first && again.isEmpty)
        #expect(pool.take() !== second)
    }
}

@Suite("Bytes as text") struct SpanTests {
    private let bytes = Array("Content-Length".utf8)

    @Test("Finding a byte")
    func finding() {
        #expect(bytes.span.firstIndex(of: 0x2D) == 7)
        #expect(bytes.span.firstIndex(of: 0x2D, from: 7) == 7)
        #expect(bytes.span.firstIndex(of: 0x2D, from: 8) == nil)
        #expect(bytes.span.firstIndex(of: 0x43, from: 14) == nil)
        let none: [UInt8] = []
        #expect(none.span.firstIndex(of: 0) == nil)
    }

    @Test("Comparing")
    func comparing() {
        #expect(bytes.span.equals("Content-Length") && !bytes.span.equals("content-length"))
        let isShorter = bytes.span.equals("Content-Lengt")
        #expect(!isShorter)
        #expect(bytes.span.equalsIgnoringCase("content-length") && !bytes.span.equalsIgnoringCase("content-lengtx"))
        let isItself = bytes.span.equals(bytes.span)
        let isPrefix = bytes.span.equals(bytes.span.extracting(first: 3))
        let isUpper = bytes.span.equalsIgnoringCase(Array("CONTENT-length".utf8).span)
        #expect(isItself && !isPrefix && isUpper)
        let none: [UInt8] = []
        #expect(none.span.equals("") && none.span.equalsIgnoringCase(""))
        // Only letters have a case.
        for (first, second) in [(0x40, 0x60), (0x5B, 0x7B)] as [(UInt8, UInt8)] {
            let isEqual = [first].span.equalsIgnoringCase([second].span)
            #expect(!isEqual)
        }
    }

    @Test("Every byte's lower case and whether it is a digit")
    func bytewise() {
        for byte in UInt8.min...UInt8.max {
            let isUpper = (0x41...0x5A).contains(byte)
            #expect(byte.lowercased == (isUpper ? byte + 32 : byte))
            #expect(byte.isDigit == (0x30...0x39).contains(byte))
        }
    }
}
