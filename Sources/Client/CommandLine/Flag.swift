// SPDX-License-Identifier: Apache-2.0
// The flags of the command, each declared once: what is read, `--help`, the manual page and the completions are made of this.

/// A flag.
public struct Flag: Sendable {
    /// Under which heading it stands.
    public enum Group: String, CaseIterable, Sendable {
        case request = "What is asked"
        case response = "What becomes of the answer"
        case cache = "The cache"
        case connection = "The way there"
        case security = "TLS"
        case repetition = "Limits and further attempts"
        case telling = "What is told"
    }

    /// The letter, or nil.
    public let letter: Character?
    /// The word.
    public let name: String
    /// What its argument is called; nil when it takes none.
    public let argument: String?
    /// Under which heading it stands.
    public let group: Group
    /// For people: one sentence or two.
    public let help: String

    init(_ letter: Character?, _ name: String, _ argument: String? = nil, _ group: Group, _ help: String) {
        self.letter = letter
        self.name = name
        self.argument = argument
        self.group = group
        self.help = help
    }

    /// All of them.
    public static let all: [Flag] = request + response + cache + connection + security + repetition + telling

    private static let request: [Flag] = [
        Flag(
            "X", "request", "METHOD", .request,
            "The method. Without it GET; HEAD with -I, POST with -d and -F, PUT with -T."),
        Flag("I", "head", nil, .request, "Ask for the head only (HEAD), and print it."),
        Flag(
            "d", "data", "TEXT", .request,
            "Send this as a form. @FILE sends a file without its line ends, @- standard input; several are joined by &."
        ),
        Flag(nil, "data-raw", "TEXT", .request, "As -d, but @ has no meaning."),
        Flag(nil, "data-binary", "TEXT", .request, "As -d, but a file goes as it is."),
        Flag(nil, "data-urlencode", "TEXT", .request, "As -d, percent-encoded: TEXT, NAME=TEXT, @FILE or NAME@FILE."),
        Flag(
            nil, "json", "TEXT", .request,
            "As --data-binary, with the Content-Type and Accept of JSON. Several are put behind one another."),
        Flag("G", "get", nil, .request, "Put what -d gives behind the URL, and GET it."),
        Flag(
            "F", "form", "NAME=TEXT", .request,
            "Send a form with files: NAME=TEXT, NAME=@FILE, NAME=<FILE; ;type=… and ;filename=… behind."),
        Flag(nil, "form-string", "NAME=TEXT", .request, "As -F, but @, < and ; have no meaning."),
        Flag(
            "T", "upload-file", "FILE", .request,
            "Send a file (PUT), - for standard input. A URL that ends in / gets the file's name."),
        Flag(
            "H", "header", "FIELD", .request,
            "Add a field, such as 'Accept: text/plain'. 'Name:' leaves one out, 'Name;' sends it empty, @FILE reads fields."
        ),
        Flag("A", "user-agent", "TEXT", .request, "User-Agent."),
        Flag("e", "referer", "URL", .request, "Referer."),
        Flag("u", "user", "USER:PASSWORD", .request, "Basic authentication. It is not carried to another host."),
        Flag(nil, "oauth2-bearer", "TOKEN", .request, "Authorization: Bearer."),
        Flag("b", "cookie", "TEXT", .request, "Send cookies: NAME=VALUE as it is, or those of a file."),
        Flag("c", "cookie-jar", "FILE", .request, "Keep cookies, and write them to this file at the end."),
        Flag("j", "junk-session-cookies", nil, .request, "Leave out what -b's file has for a session only."),
        Flag("r", "range", "RANGE", .request, "Ask for a part: 0-499, 500-, -500."),
        Flag("C", "continue-at", "OFFSET", .request, "Continue at this byte; - for the end of the output file."),
        Flag(nil, "compressed", nil, .request, "Ask for gzip, and decode it."),
        Flag(nil, "url", "URL", .request, "What to fetch, as the words without a flag are."),
    ]

    private static let response: [Flag] = [
        Flag(
            "o", "output", "FILE", .response,
            "Write the body to a file; - to standard output as it is. One for each URL."),
        Flag("O", "remote-name", nil, .response, "Write it to a file that is named as the URL ends."),
        Flag(nil, "remote-name-all", nil, .response, "-O for every URL that has no -o."),
        Flag(nil, "output-dir", "FOLDER", .response, "The folder for the files."),
        Flag(nil, "create-dirs", nil, .response, "Make folders that are missing."),
        Flag(nil, "no-clobber", nil, .response, "Leave a file alone that is there."),
        Flag("i", "include", nil, .response, "Print the head in front of the body."),
        Flag("D", "dump-header", "FILE", .response, "Write heads to a file."),
        Flag("f", "fail", nil, .response, "End with 22 when the status is 400 or above, without the body."),
        Flag(nil, "fail-with-body", nil, .response, "The same, but with the body."),
        Flag("L", "location", nil, .response, "Follow redirects."),
        Flag(nil, "location-trusted", nil, .response, "The same, and send credentials to wherever they lead."),
        Flag(nil, "max-redirs", "N", .response, "Most redirects; 50 without it."),
        Flag(nil, "post301", nil, .response, "Keep POST after a 301."),
        Flag(nil, "post302", nil, .response, "Keep POST after a 302."),
        Flag(nil, "post303", nil, .response, "Keep POST after a 303."),
        Flag(nil, "pretty", nil, .response, "Print JSON with line breaks and indents."),
    ]

    private static let cache: [Flag] = [
        Flag(
            nil, "cache", "MODE", .cache,
            "default, no-store, reload, no-cache, force-cache or only-if-cached: the Fetch standard's words."),
        Flag(nil, "offline", nil, .cache, "--cache only-if-cached: no packet is sent."),
        Flag(nil, "cache-dir", "FOLDER", .cache, "Where the cache is; $XDG_CACHE_HOME/gateway-client without it."),
        Flag(nil, "cache-size", "SIZE", .cache, "What it may take, such as 500m; 1g without it."),
    ]

    private static let connection: [Flag] = [
        Flag(
            "x", "proxy", "URL", .connection,
            "Ask through this proxy; https through its CONNECT. Else http_proxy, https_proxy and all_proxy say."),
        Flag("U", "proxy-user", "USER:PASSWORD", .connection, "Basic authentication at the proxy."),
        Flag(
            nil, "noproxy", "HOSTS", .connection,
            "Hosts that are asked directly, with commas; * for all. Else no_proxy says."),
        Flag(nil, "resolve", "HOST:PORT:ADDRESS", .connection, "Connect there for this host and port."),
        Flag(nil, "unix-socket", "PATH", .connection, "Connect to this socket."),
        Flag("4", "ipv4", nil, .connection, "IPv4 only."),
        Flag("6", "ipv6", nil, .connection, "IPv6 only."),
        Flag("Z", "parallel", nil, .connection, "Fetch several URLs at once."),
        Flag(nil, "parallel-max", "N", .connection, "At most so many at once; 50 without it."),
    ]

    private static let security: [Flag] = [
        Flag(
            "k", "insecure", nil, .security,
            "Take any certificate: the connection is secret, but nobody knows with whom."),
        Flag(nil, "cacert", "FILE", .security, "Trust the root certificates in this PEM file instead of the system's."),
        Flag("E", "cert", "FILE", .security, "Show the certificate in this PEM file to the server."),
        Flag(nil, "key", "FILE", .security, "The private key of --cert, where it is not in the same file."),
    ]

    private static let repetition: [Flag] = [
        Flag("m", "max-time", "SECONDS", .repetition, "The longest that a transfer may take."),
        Flag(nil, "connect-timeout", "SECONDS", .repetition, "The longest until a connection stands; 300 without it."),
        Flag(nil, "max-filesize", "SIZE", .repetition, "The longest body, such as 10m."),
        Flag(
            nil, "retry", "N", .repetition,
            "Try again so often after a timeout or a 408, 429, 500, 502, 503 or 504. Retry-After is minded."),
        Flag(nil, "retry-delay", "SECONDS", .repetition, "Between attempts; without it 1, 2, 4, …"),
        Flag(nil, "retry-max-time", "SECONDS", .repetition, "No further attempt after so long."),
        Flag(nil, "retry-connrefused", nil, .repetition, "Also when the connection is refused."),
        Flag(nil, "retry-all-errors", nil, .repetition, "Also after any other failure."),
    ]

    private static let telling: [Flag] = [
        Flag("v", "verbose", nil, .telling, "Tell what is sent and what comes."),
        Flag("s", "silent", nil, .telling, "No progress, no errors."),
        Flag("S", "show-error", nil, .telling, "Errors in spite of -s."),
        Flag(
            "w", "write-out", "FORMAT", .telling,
            "Print a line at the end, such as '%{http_code} %{time_total}\\n'; %{json} for all, @FILE for a file."),
        Flag(nil, "log", "FILE", .telling, "Append a line for each request to this file; with -v the fields too."),
        Flag(nil, "log-format", "FORMAT", .telling, "text or json."),
        Flag(nil, "no-progress-meter", nil, .telling, "No progress."),
        Flag(nil, "stderr", "FILE", .telling, "Write there what would go to standard error."),
        Flag("h", "help", nil, .telling, "This."),
        Flag("V", "version", nil, .telling, "The version."),
        Flag(nil, "generate-completion-script", "SHELL", .telling, "Completions for bash, zsh or fish."),
        Flag(nil, "generate-manual", nil, .telling, "The manual page, for man."),
    ]
}
