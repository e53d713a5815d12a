#if Spark
    import SparkProto
    import SwiftProtobuf
    import Testing

    /// The trimmed messages against bytes written by hand from Spark's field numbers.
    @Suite struct ProtoTests {
        @Test func requestsHaveSparksFieldNumbers() throws {
            var request = Spark_Connect_ExecutePlanRequest()
            request.sessionID = "s"
            request.userContext.userID = "u"
            request.operationID = "o"
            request.plan.root.sql.query = "q"
            var option = Spark_Connect_ExecutePlanRequest.RequestOption()
            option.reattachOptions.reattachable = true
            request.requestOptions = [option]
            let bytes: [UInt8] = try request.serializedBytes()
            let expected: [UInt8] = [
                0x0A, 1, 0x73,  // 1 session_id
                0x12, 3, 0x0A, 1, 0x75,  // 2 user_context { 1 user_id }
                0x1A, 7, 0x0A, 5, 0x52, 3, 0x0A, 1, 0x71,  // 3 plan { 1 root { 10 sql { 1 query } } }
                0x2A, 4, 0x0A, 2, 0x08, 1,  // 5 request_options { 1 reattach_options { 1 reattachable } }
                0x32, 1, 0x6F,  // 6 operation_id
            ]
            #expect(bytes == expected)
        }

        @Test func responsesWithUnknownPartsAreRead() throws {
            let bytes: [UInt8] = [
                0x0A, 1, 0x73,  // 1 session_id
                0x12, 6, 0x08, 2, 0x12, 2, 7, 8,  // 2 arrow_batch { 1 row_count, 2 data }
                0x3A, 2, 0x5A, 0,  // 7 schema, not among the trimmed
                0x62, 1, 0x6F, 0x6A, 1, 0x72,  // 12 operation_id, 13 response_id
            ]
            let response = try Spark_Connect_ExecutePlanResponse(serializedBytes: bytes)
            #expect(response.arrowBatch.rowCount == 2 && Array(response.arrowBatch.data) == [7, 8])
            #expect(response.operationID == "o" && response.responseID == "r")
            #expect(throws: (any Error).self) { try Spark_Connect_ExecutePlanResponse(serializedBytes: [0x12, 200]) }
        }
    }
#endif
