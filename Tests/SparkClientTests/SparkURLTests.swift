import SparkClient
import Testing

@Suite struct SparkURLTests {
    @Test func readsWhatSparkDocuments() throws {
        let plain = try SparkURL("sc://spark.example")
        #expect(plain.host == "spark.example" && plain.port == 15_002 && !plain.isTLS && plain.userID == nil)
        let full = try SparkURL("sc://host:443/;use_ssl=true;user_id=an%20na;token=a%2Fb=;x-team=blue;user_agent=job")
        #expect(full.port == 443 && full.isTLS && full.userID == "an na" && full.token == "a/b=" && full.userAgent == "job")
        #expect(full.headers.map(\.name) == ["x-team"])
        #expect(try SparkURL("sc://[::1]:15055/").host == "::1")
        #expect(try SparkURL("sc://[::1]").display == "sc://[::1]:15002")
        #expect(try SparkURL("sc://host/;session_id=00112233-4455-6677-8899-aabbccddeeff").sessionID != nil)
    }

    @Test func tokensNeedEncryption() throws {
        #expect(try SparkURL("sc://host/;token=t").isTLS)
        #expect(try !SparkURL("sc://localhost/;token=t;use_ssl=false").isTLS)
        let error = #expect(throws: SparkURLError.self) { try SparkURL("sc://host/;token=verysecret;use_ssl=false") }
        #expect(error?.description.contains("unencrypted") == true && error?.description.contains("verysecret") == false)
        #expect(try SparkURL("sc://host/;token=verysecret").display == "sc://host:15002")
    }

    @Test(arguments: [
        ("spark://host", "give sc://host:port"), ("sc://", "names no host"), ("sc://host:0", "no port"), ("sc://host:70000", "no port"),
        ("sc://host:1x", "no port"), ("sc://host/path", "has no path"), ("sc://host/;user_id", "name=value"),
        ("sc://host/;user_id=a;user_id=b", "twice"), ("sc://host/;a=%zz", "percent"), ("sc://host/;a=%+1", "percent"),
        ("sc://host/;use_ssl=yes", "use_ssl"), ("sc://host/;session_id=7", "UUID"), ("sc://me@host", "names no host"),
        ("sc://host/;bad header=1", "header"), ("sc://[::1", "does not end"),
    ])
    func saysWhatIsWrong(_ text: String, _ words: String) {
        let error = #expect(throws: SparkURLError.self) { try SparkURL(text) }
        #expect(error?.description.contains(words) == true, "\(text): \(error?.description ?? "-")")
    }
}
