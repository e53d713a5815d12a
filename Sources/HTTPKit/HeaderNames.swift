import HTTPTypes

extension HTTPField.Name {
    /// Names that HTTPTypes does not list. Each is a valid token, so the fallback is never taken.
    static let secFetchSite = HTTPField.Name("Sec-Fetch-Site") ?? .origin
    package static let link = HTTPField.Name("Link") ?? .location
    static let referrerPolicy = HTTPField.Name("Referrer-Policy") ?? .date
}
