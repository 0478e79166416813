// SPDX-License-Identifier: Apache-2.0
public import Settings

extension BalanceMethod {
    /// The method that the settings name.
    public init(_ settings: Configuration.Balance) {
        switch settings.method {
        case .roundRobin: self = .roundRobin
        case .leastConnections: self = .leastConnections
        case .powerOfTwo: self = .powerOfTwo
        case .hash: self = .hash(HashInput(settings.hashKey ?? "address"))
        }
    }
}

extension BalanceMethod.HashInput {
    /// A key as checked settings have it.
    init(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1)
        switch (parts.first, parts.last) {
        case ("path", _): self = .path
        case ("header", let name?): self = .field(Array(name.lowercased().utf8))
        case ("cookie", let name?): self = .cookie(Array(name.utf8))
        default: self = .address
        }
    }
}

extension StickyCookie {
    /// The cookie that the settings name; nil when they name none.
    public init?(_ settings: Configuration.Balance) {
        guard let name = settings.stickyCookie else { return nil }
        if let secret = settings.stickySecret {
            self.init(name: name, secret: secret)
        } else {
            self.init(name: name)
        }
    }
}
