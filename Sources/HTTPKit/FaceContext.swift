import Hummingbird
import Logging
import NIOCore

/// Hummingbird's context of a request; keeps the connection, so that a stream to a client that has stopped reading can be ended.
package struct FaceContext: RequestContext {
    package var coreContext: CoreRequestContextStorage
    let channel: any Channel

    package init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }
}
