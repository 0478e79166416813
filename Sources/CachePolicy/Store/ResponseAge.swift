// SPDX-License-Identifier: Apache-2.0
// How old a response was when it came (RFC 9111 §4.2.3).

public import HTTP
internal import Bytes

/// When a request was sent and its response received: wall-clock milliseconds of Unix time.
public struct ExchangeTimes: Sendable, Equatable {
    /// request_time.
    public var request: Int64
    /// response_time: when the response's head was complete.
    public var response: Int64

    /// Times of one exchange.
    public init(request: Int64, response: Int64) {
        self.request = request
        self.response = response
    }
}

/// What a response's Date and Age say.
public struct ResponseAge: Sendable, Equatable {
    /// date_value in seconds: Date, or response_time where it is absent or malformed ("A recipient with a clock that
    /// receives a response with an invalid Date header field value MAY replace that value with the time that response
    /// was received", RFC 9110 §6.6.1).
    public var date: Int64
    /// Whether there is a Date that can be read.
    public var hasDate: Bool
    /// corrected_initial_age in milliseconds, 0...2^31 seconds.
    public var initial: Int64

    /// Reads both fields.
    public init(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>, _ times: ExchangeTimes) {
        let received = times.response / 1_000
        let stated = head.fields.first(.date).flatMap {
            HTTPDate.parse(bytes.extracting($0.valueRange), now: received, ignoringCase: true)
        }
        hasDate = stated != nil
        date = stated ?? received
        let limit = Int64(DeltaSeconds.limit) * 1_000
        // "apparent_age = max(0, response_time - date_value)". Dates are years 1 to 9999: no overflow in seconds; the
        // clock is not believed to be more than the field is.
        let (seconds, overflow) = received.subtractingReportingOverflow(date)
        let apparent = overflow ? limit : min(max(seconds, 0), Int64(DeltaSeconds.limit)) * 1_000
        // "response_delay = response_time - request_time; corrected_age_value = age_value + response_delay". A clock
        // that went back in between makes no negative delay.
        let (delay, isWide) = times.response.subtractingReportingOverflow(times.request)
        let corrected = Int64(ResponseAge.field(head, bytes)) * 1_000 + (isWide ? 0 : min(max(delay, 0), limit))
        // "corrected_initial_age = max(apparent_age, corrected_age_value)", the conservative of both ways.
        initial = min(max(apparent, corrected), limit)
    }

    /// age_value: "a cache encountering a message with a list-based Age field value SHOULD use the first member of the
    /// field value, discarding subsequent ones. If the field value … is invalid …, a cache SHOULD ignore the field"
    /// (§5.1).
    static func field(_ head: borrowing ResponseHead, _ bytes: Span<UInt8>) -> UInt32 {
        for position in 0..<head.fields.count where head.fields[position].name == .age {
            let line = bytes.extracting(head.fields[position].valueRange)
            var reader = ListReader()
            guard let member = reader.next(line) else { continue }
            return DeltaSeconds.parse(line.extracting(member)) ?? 0
        }
        return 0
    }
}
