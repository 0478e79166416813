// SPDX-License-Identifier: Apache-2.0
// Dates (RFC 9110 section 5.6.7), by arithmetic alone: no locale, no time zone, no allocation.

public import Bytes

/// Seconds since 1970 and the texts that HTTP and its logs have for them.
public enum HTTPDate {
    /// A date and time in UTC.
    struct Civil: Equatable {
        var year: Int64
        var month: Int
        var day: Int
        var hour: Int
        var minute: Int
        var second: Int
        /// 0 is Sunday.
        var weekday: Int
    }

    /// After Howard Hinnant's `civil_from_days`.
    static func civil(_ seconds: Int64) -> Civil {
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let rest = Int(seconds - days * 86_400)
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let month = Int(monthIndex < 10 ? monthIndex + 3 : monthIndex - 9)
        return Civil(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month, day: Int(dayOfYear - (153 * monthIndex + 2) / 5 + 1),
            hour: rest / 3600, minute: rest / 60 % 60, second: rest % 60, weekday: Int(((days + 4) % 7 + 7) % 7))
    }

    /// After Howard Hinnant's `days_from_civil`.
    private static func days(year: Int64, month: Int, day: Int) -> Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = Int64((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1)
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func month(_ index: Int) -> StaticString {
        switch index {
        case 1: "Jan"
        case 2: "Feb"
        case 3: "Mar"
        case 4: "Apr"
        case 5: "May"
        case 6: "Jun"
        case 7: "Jul"
        case 8: "Aug"
        case 9: "Sep"
        case 10: "Oct"
        case 11: "Nov"
        default: "Dec"
        }
    }

    private static func weekday(_ index: Int) -> StaticString {
        switch index {
        case 0: "Sun"
        case 1: "Mon"
        case 2: "Tue"
        case 3: "Wed"
        case 4: "Thu"
        case 5: "Fri"
        default: "Sat"
        }
    }

    /// Appends `Sun, 06 Nov 1994 08:49:37 GMT`: 29 bytes.
    public static func appendIMF(seconds: Int64, to block: Block) {
        let date = civil(seconds)
        block.append(weekday(date.weekday))
        block.append(", ")
        block.append(decimal: UInt64(date.day), digits: 2)
        block.append(UInt8(ascii: " "))
        block.append(month(date.month))
        block.append(UInt8(ascii: " "))
        block.append(decimal: UInt64(max(0, date.year)), digits: 4)
        block.append(UInt8(ascii: " "))
        appendTime(date, to: block)
        block.append(" GMT")
    }

    /// Appends `06/Nov/1994:08:49:37 +0000`, as access logs have it.
    public static func appendLog(seconds: Int64, to block: Block) {
        let date = civil(seconds)
        block.append(decimal: UInt64(date.day), digits: 2)
        block.append(UInt8(ascii: "/"))
        block.append(month(date.month))
        block.append(UInt8(ascii: "/"))
        block.append(decimal: UInt64(max(0, date.year)), digits: 4)
        block.append(UInt8(ascii: ":"))
        appendTime(date, to: block)
        block.append(" +0000")
    }

    private static func appendTime(_ date: Civil, to block: Block) {
        block.append(decimal: UInt64(date.hour), digits: 2)
        block.append(UInt8(ascii: ":"))
        block.append(decimal: UInt64(date.minute), digits: 2)
        block.append(UInt8(ascii: ":"))
        block.append(decimal: UInt64(date.second), digits: 2)
    }

    /// Reads any of the three forms that a recipient must accept, or gives nil.
    ///
    /// - Parameter now: seconds since 1970, to place the two-digit year of the obsolete form (a date more than 50 years
    ///   ahead is in the past century).
    public static func parse(_ bytes: Span<UInt8>, now: Int64) -> Int64? {
        var reader = Reader(bytes: bytes)
        if bytes.count == 29, bytes[3] == UInt8(ascii: ",") {
            // Sun, 06 Nov 1994 08:49:37 GMT
            guard reader.weekday(long: false), reader.skip(", "), let day = reader.number(2), reader.skip(" "),
                let month = reader.month(), reader.skip(" "), let year = reader.number(4), reader.skip(" "),
                let time = reader.time(), reader.skip(" GMT")
            else { return nil }
            return seconds(Int64(year), month, day, time)
        }
        if bytes.count == 24 {
            // Sun Nov  6 08:49:37 1994
            guard reader.weekday(long: false), reader.skip(" "), let month = reader.month(), reader.skip(" ") else { return nil }
            if reader.skip(" ") {}
            guard let day = reader.number(bytes[8] == 0x20 ? 1 : 2), reader.skip(" "), let time = reader.time(),
                reader.skip(" "), let year = reader.number(4)
            else { return nil }
            return seconds(Int64(year), month, day, time)
        }
        // Sunday, 06-Nov-94 08:49:37 GMT
        guard reader.weekday(long: true), reader.skip(", "), let day = reader.number(2), reader.skip("-"),
            let month = reader.month(), reader.skip("-"), let short = reader.number(2), reader.skip(" "),
            let time = reader.time(), reader.skip(" GMT"), reader.position == bytes.count
        else { return nil }
        let thisYear = civil(now).year
        var year = thisYear / 100 * 100 + Int64(short)
        if year > thisYear + 50 { year -= 100 }
        return seconds(year, month, day, time)
    }

    private static func seconds(_ year: Int64, _ month: Int, _ day: Int, _ time: Int) -> Int64? {
        guard day >= 1, day <= 31 else { return nil }
        let total = days(year: year, month: month, day: day) * 86_400 + Int64(time)
        // 31 April is no day.
        let back = civil(total - Int64(time))
        return back.month == month && back.day == day ? total : nil
    }

    private struct Reader: ~Escapable {
        let bytes: Span<UInt8>
        var position = 0

        @_lifetime(copy bytes)
        init(bytes: Span<UInt8>) { self.bytes = bytes }

        mutating func skip(_ literal: StaticString) -> Bool {
            let end = position + literal.utf8CodeUnitCount
            guard end <= bytes.count, bytes.extracting(position..<end).equals(literal) else { return false }
            position = end
            return true
        }

        mutating func number(_ digits: Int) -> Int? {
            guard position + digits <= bytes.count else { return nil }
            var value = 0
            for index in position..<position + digits {
                guard bytes[index].isDigit else { return nil }
                value = value * 10 + Int(bytes[index] & 15)
            }
            position += digits
            return value
        }

        mutating func month() -> Int? {
            for index in 1...12 where skip(HTTPDate.month(index)) { return index }
            return nil
        }

        mutating func weekday(long: Bool) -> Bool {
            for index in 0...6 where skip(HTTPDate.weekday(index)) {
                if long {
                    while position < bytes.count, bytes[position] >= 0x61 { position += 1 }
                }
                return true
            }
            return false
        }

        /// `08:49:37` as seconds of the day; a leap second counts as the one before it.
        mutating func time() -> Int? {
            guard let hour = number(2), skip(":"), let minute = number(2), skip(":"), let second = number(2), hour < 24,
                minute < 60, second <= 60
            else { return nil }
            return hour * 3600 + minute * 60 + min(second, 59)
        }
    }
}
