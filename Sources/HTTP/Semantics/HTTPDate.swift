// SPDX-License-Identifier: Apache-2.0
// Dates of fields (RFC 9110 §5.6.7) and of log lines, by arithmetic on the proleptic Gregorian calendar: no locale, no
// time zone, no C library.

public import Bytes

/// Dates as text and back. Seconds are Unix time; leap seconds do not exist in it.
public enum HTTPDate {
    /// Appends `Tue, 24 Nov 2026 16:22:01 GMT`, 29 bytes (needs room for 48). Years are clamped to 1...9999.
    public static func append(_ seconds: Int64, to output: Block) {
        let date = CivilTime(seconds)
        output.append(dayName(date.weekday))
        output.append(", ")
        output.append(decimal: date.day, digits: 2)
        output.append(0x20)
        output.append(monthName(date.month))
        output.append(0x20)
        output.append(decimal: date.year, digits: 4)
        output.append(0x20)
        appendTime(date, output)
        output.append(" GMT")
    }

    /// Appends `24/Nov/2026:16:22:01 +0000`, 26 bytes (needs room for 48), the date of the common log format.
    public static func appendLogDate(_ seconds: Int64, to output: Block) {
        let date = CivilTime(seconds)
        output.append(decimal: date.day, digits: 2)
        output.append(0x2F)
        output.append(monthName(date.month))
        output.append(0x2F)
        output.append(decimal: date.year, digits: 4)
        output.append(0x3A)
        appendTime(date, output)
        output.append(" +0000")
    }

    /// Unix time of a date in one of the three forms, or nil. `now` resolves the two-digit year of the second form: one
    /// that seems more than 50 years in the future is in the past. Without `now`, 69–99 are of the 20th century and
    /// 00–68 of the 21st, as POSIX has it.
    ///
    /// A weekday that is not the date's is not looked at: one of both is wrong, and the date is what is used.
    ///
    /// `ignoringCase`: for caches, which RFC 9111 §4.2 asks to match the names of days, months and the zone without
    /// regard to case.
    ///
    /// - `Sun, 06 Nov 1994 08:49:37 GMT`
    /// - `Sunday, 06-Nov-94 08:49:37 GMT`
    /// - `Sun Nov  6 08:49:37 1994`
    public static func parse(_ text: Span<UInt8>, now: Int64? = nil, ignoringCase: Bool = false) -> Int64? {
        var reader = DateReader(position: 0, ignoresCase: ignoringCase)
        var day: Int?
        var month: Int?
        var year: Int?
        guard let isLong = reader.weekday(text) else { return nil }
        if !isLong, reader.take(text, 0x20) {
            // asctime
            month = reader.month(text)
            guard reader.take(text, 0x20) else { return nil }
            day = reader.take(text, 0x20) ? reader.number(text, 1) : reader.number(text, 2)
            guard reader.take(text, 0x20), let time = reader.time(text), reader.take(text, 0x20) else { return nil }
            year = reader.number(text, 4)
            guard reader.position == text.count else { return nil }
            return seconds(year, month, day, time)
        }
        guard reader.take(text, 0x2C), reader.take(text, 0x20) else { return nil }
        let separator: UInt8 = isLong ? 0x2D : 0x20
        day = reader.number(text, 2)
        guard reader.take(text, separator) else { return nil }
        month = reader.month(text)
        guard reader.take(text, separator) else { return nil }
        year = reader.number(text, isLong ? 2 : 4)
        guard reader.take(text, 0x20), let time = reader.time(text), reader.take(text, " GMT"),
            reader.position == text.count
        else { return nil }
        guard isLong, let short = year else { return seconds(year, month, day, time) }
        guard let now else { return seconds(short + (short < 69 ? 2_000 : 1_900), month, day, time) }
        let current = Int(CivilTime(now).year)
        var full = current / 100 * 100 + short
        if full > current + 50 { full -= 100 }
        if full <= current - 50 { full += 100 }
        return seconds(full, month, day, time)
    }

    private static func seconds(_ year: Int?, _ month: Int?, _ day: Int?, _ time: Int) -> Int64? {
        guard let year, let month, let day, year >= 1, day >= 1, day <= CivilTime.days(in: month, of: year) else {
            return nil
        }
        let days = CivilTime.days(year: year, month: month, day: day)
        return Int64(days) * 86_400 + Int64(time)
    }

    private static func appendTime(_ date: CivilTime, _ output: Block) {
        output.append(decimal: date.hour, digits: 2)
        output.append(0x3A)
        output.append(decimal: date.minute, digits: 2)
        output.append(0x3A)
        output.append(decimal: date.second, digits: 2)
    }

    private static func dayName(_ weekday: Int) -> StaticString {
        switch weekday {
        case 0: "Sun"
        case 1: "Mon"
        case 2: "Tue"
        case 3: "Wed"
        case 4: "Thu"
        case 5: "Fri"
        default: "Sat"
        }
    }

    private static func monthName(_ month: Int) -> StaticString {
        switch month {
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
}

/// Unix time taken apart.
private struct CivilTime {
    var year: UInt64
    var month: Int
    var day: UInt64
    var hour: UInt64
    var minute: UInt64
    var second: UInt64
    /// 0 is Sunday.
    var weekday: Int

    init(_ unix: Int64) {
        // 0001-01-01T00:00:00Z ... 9999-12-31T23:59:59Z
        let seconds = min(max(unix, -62_135_596_800), 253_402_300_799)
        let days = Int((seconds - (seconds % 86_400 + 86_400) % 86_400) / 86_400)
        let time = UInt64(seconds - Int64(days) * 86_400)
        // Years begin in March, so that the leap day is the last one; eras have 400 years (146,097 days).
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        day = UInt64(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
        year = UInt64(yearOfEra + era * 400 + (month <= 2 ? 1 : 0))
        hour = time / 3_600
        minute = time / 60 % 60
        second = time % 60
        weekday = ((days + 4) % 7 + 7) % 7
    }

    /// Days from 1970-01-01 to the date.
    static func days(year: Int, month: Int, day: Int) -> Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// How many days the month has.
    static func days(in month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

/// Reads the parts of a date. Names are case-sensitive (RFC 9110 §5.6.7) unless the caller says otherwise.
private struct DateReader {
    var position: Int
    var ignoresCase: Bool

    mutating func take(_ text: Span<UInt8>, _ byte: UInt8) -> Bool {
        guard position < text.count, text[position] == byte else { return false }
        position += 1
        return true
    }

    mutating func take(_ text: Span<UInt8>, _ literal: StaticString) -> Bool {
        let end = position + literal.utf8CodeUnitCount
        guard end <= text.count else { return false }
        let part = text.extracting(position..<end)
        guard unsafe ignoresCase ? part.equalsIgnoringCase(literal.span) : part.bytes.isExactly(literal) else {
            return false
        }
        position = end
        return true
    }

    /// Exactly `digits` digits.
    mutating func number(_ text: Span<UInt8>, _ digits: Int) -> Int? {
        guard position + digits <= text.count else { return nil }
        var value = 0
        for offset in position..<(position + digits) {
            guard text[offset].isDigit else { return nil }
            value = value * 10 + Int(text[offset] &- 0x30)
        }
        position += digits
        return value
    }

    /// `08:49:37` as seconds of the day. A leap second counts as the second after it.
    mutating func time(_ text: Span<UInt8>) -> Int? {
        guard let hour = number(text, 2), hour < 24, take(text, 0x3A), let minute = number(text, 2), minute < 60,
            take(text, 0x3A), let second = number(text, 2), second <= 60
        else { return nil }
        return hour * 3_600 + minute * 60 + second
    }

    /// The name of a weekday: whether it is the long one.
    mutating func weekday(_ text: Span<UInt8>) -> Bool? {
        if take(text, "Sun") { return take(text, "day") }
        if take(text, "Mon") { return take(text, "day") }
        if take(text, "Tue") { return take(text, "sday") }
        if take(text, "Wed") { return take(text, "nesday") }
        if take(text, "Thu") { return take(text, "rsday") }
        if take(text, "Fri") { return take(text, "day") }
        if take(text, "Sat") { return take(text, "urday") }
        return nil
    }

    mutating func month(_ text: Span<UInt8>) -> Int? {
        if take(text, "Jan") { return 1 }
        if take(text, "Feb") { return 2 }
        if take(text, "Mar") { return 3 }
        if take(text, "Apr") { return 4 }
        if take(text, "May") { return 5 }
        if take(text, "Jun") { return 6 }
        if take(text, "Jul") { return 7 }
        if take(text, "Aug") { return 8 }
        if take(text, "Sep") { return 9 }
        if take(text, "Oct") { return 10 }
        if take(text, "Nov") { return 11 }
        if take(text, "Dec") { return 12 }
        return nil
    }
}
