enum Reference { static func page() -> String { "" } }
