/**
 * Between the connections and the handlers: reads a request's header and body, finds its handler, writes the answer.
 *
 * Invariants: every delivered request is answered, counted as answered, or its connection is closed, exactly once; its
 * frame goes back when the handler has returned, unless the answer carried it. A malformed request, an unknown API
 * key and an unsupported version close the connection, as Kafka does, except that ApiVersions of an unknown
 * version is answered in version 0 with UNSUPPORTED_VERSION. A handler that throws fails its own request alone,
 * with UNKNOWN_SERVER_ERROR.
 */
import { assert } from '../base/assert.ts'
import type { Logger } from '../base/logger.ts'
import type { PreparedAnswer } from '../log/log.ts'
import type { Connection, IncomingRequest, ListenerHandler } from '../net/net.ts'
import type { Api } from '../protocol/api.ts'
import { apiVersions } from '../protocol/apis/18-api-versions.ts'
import { readerFor } from '../protocol/compile.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { RequestHeader } from '../protocol/headers.ts'
import { encodeResponse, readRequestHeader } from '../protocol/headers.ts'
import { ProtocolError } from '../protocol/protocol-error.ts'
import { Reader } from '../protocol/reader.ts'
import { findApi } from '../protocol/registry.ts'
import { Writer } from '../protocol/writer.ts'
import type { BrokerPorts, Handler, RequestContext } from './context.ts'
import { unknownOffsetAt } from './unknown-offset.ts'

interface Route {
  readonly api: Api
  readonly handler: Handler
}

/** What the broker keeps of a connection, in `Connection.context`. */
export class ConnectionState {
  /** As the client gave it in ApiVersions. */
  clientSoftwareName = ''
  clientSoftwareVersion = ''
  /** Requests that wait and must hear when the connection ends. */
  readonly waiting = new Set<Request>()
}

export class Router implements ListenerHandler {
  readonly #ports: BrokerPorts
  readonly #logger: Logger
  readonly #routes: (Route | undefined)[] = []
  readonly #reader = new Reader()
  readonly #writer = new Writer()
  #unanswered = 0
  #whenIdle: (() => void) | undefined

  constructor(ports: BrokerPorts, handlers: readonly Handler[]) {
    this.#ports = ports
    this.#logger = ports.logger
    for (const handler of handlers) {
      const api = findApi(handler.apiKey)
      if (api === undefined) throw new TypeError(`no schema for API key ${handler.apiKey}`)
      this.#routes[handler.apiKey] = { api, handler }
    }
  }

  onConnected(connection: Connection): void {
    connection.context = new ConnectionState()
  }

  onClosed(connection: Connection): void {
    for (const request of [...(connection.context as ConnectionState).waiting]) request.abandon()
  }

  onRequest(incoming: IncomingRequest): void {
    const { connection } = incoming
    const reader = this.#reader
    reader.reset(incoming.bytes, incoming.elisions)
    let request: Request
    let body: never
    try {
      const header = readRequestHeader(reader)
      const { requestApiKey: key, requestApiVersion: version } = header
      const route = this.#routes[key]
      if (route === undefined) throw new ProtocolError(`API key ${key} is not served`)
      request = new Request(this, this.#ports, route, header, incoming)
      if (version < route.api.minVersion || version > route.api.maxVersion) {
        if (key !== apiVersions.key) throw new ProtocolError(`${route.api.name} version ${version} is not served`)
        this.#unanswered++
        request.answerUnsupportedApiVersions()
        return
      }
      body = readerFor(route.api.request, version)(reader) as never
    } catch (error) {
      if (!(error instanceof ProtocolError)) this.#logger.error({ err: error }, 'a request could not be read')
      if (incoming.frame !== 0) connection.releaseFrame(incoming.frame)
      connection.close(error instanceof Error ? error.message : String(error))
      return
    }
    this.#unanswered++
    request.run(body)
  }

  /** Resolves when no request is waiting for its answer, or after `timeoutMs`. */
  idle(timeoutMs: number): Promise<void> {
    if (this.#unanswered === 0) return Promise.resolve()
    const { clock, timers } = this.#ports.host
    return new Promise(resolve => {
      const timer = timers.at(clock.monotonicMs() + timeoutMs, resolve)
      this.#whenIdle = () => {
        timers.cancel(timer)
        resolve()
      }
    })
  }

  /** For `Request` alone. */
  encode(api: Api, version: number, correlationId: number, response: object) {
    return encodeResponse(this.#writer, api, version, correlationId, response as never)
  }

  /** For `Request` alone. */
  answered(): void {
    if (--this.#unanswered === 0 && this.#whenIdle !== undefined) {
      this.#whenIdle()
      this.#whenIdle = undefined
    }
  }
}

class Request implements RequestContext {
  readonly broker: BrokerPorts
  readonly connection: Connection
  readonly apiKey: number
  readonly version: number
  readonly correlationId: number
  readonly clientId: string | null
  readonly bytes: Uint8Array
  frame: number
  readonly #router: Router
  readonly #route: Route
  readonly #sequence: number
  #body: never | undefined
  #answered = false
  #abandoned: (() => void) | undefined
  /** A frame that outlives the request's handling. */
  #kept: { readonly frame: number; holders: number } | undefined

  constructor(router: Router, broker: BrokerPorts, route: Route, header: RequestHeader, incoming: IncomingRequest) {
    this.#router = router
    this.#route = route
    this.#sequence = incoming.sequence
    this.broker = broker
    this.connection = incoming.connection
    this.apiKey = header.requestApiKey
    this.version = header.requestApiVersion
    this.correlationId = header.correlationId
    this.clientId = header.clientId
    this.bytes = incoming.bytes
    this.frame = incoming.frame
  }

  run(body: never): void {
    this.#body = body
    try {
      const answer = this.#route.handler.handle(this, body)
      if (answer instanceof Promise) {
        answer.then(
          response => this.answer(response),
          error => this.#fail(error),
        )
      } else if (answer !== undefined) this.answer(answer)
    } catch (error) {
      this.#fail(error)
    }
    if (!this.#answered && this.frame !== 0) {
      this.connection.releaseFrame(this.frame)
      this.frame = 0
    }
  }

  answer(response: object): void {
    if (this.#answered) return
    let parts: ReturnType<Router['encode']>
    try {
      parts = this.#router.encode(this.#route.api, this.version, this.correlationId, response)
    } catch (error) {
      this.broker.logger.error({ err: error, api: this.#route.api.name }, 'an answer could not be written')
      this.close('an answer could not be written')
      return
    }
    const { frame } = this
    this.#end()
    this.connection.reply(this.#sequence, frame, parts)
  }

  answerNothing(): void {
    if (this.#answered) return
    const { frame } = this
    this.#end()
    this.connection.reply(this.#sequence, frame, [], { noAnswer: true })
  }

  prepare(response: object, untilSynced: boolean): PreparedAnswer {
    const [bytes] = this.#router.encode(this.#route.api, this.version, this.correlationId, response)
    assert(bytes instanceof Uint8Array, 'a prepared answer is all bytes')
    return this.connection.prepare(this.#sequence, bytes, unknownOffsetAt(bytes), untilSynced)
  }

  keepFrame(): () => void {
    this.#kept ??= { frame: this.frame, holders: 0 }
    this.frame = 0
    const kept = this.#kept
    kept.holders++
    return () => {
      if (--kept.holders === 0) this.connection.releaseFrame(kept.frame)
    }
  }

  answeredAhead(): void {
    if (!this.#answered) this.#end()
  }

  answerUnsupportedApiVersions(): void {
    const response = {
      errorCode: ErrorCode.UNSUPPORTED_VERSION,
      apiKeys: [{ apiKey: apiVersions.key, minVersion: apiVersions.minVersion, maxVersion: apiVersions.maxVersion }],
    }
    const parts = this.#router.encode(apiVersions, 0, this.correlationId, response)
    const { frame } = this
    this.#end()
    this.connection.reply(this.#sequence, frame, parts)
  }

  close(reason: string): void {
    if (this.#answered) return
    const { frame } = this
    this.#end()
    if (frame !== 0) this.connection.releaseFrame(frame)
    this.connection.close(reason)
  }

  onAbandoned(abandoned: () => void): void {
    this.#abandoned = abandoned
    ;(this.connection.context as ConnectionState).waiting.add(this)
  }

  /** The connection ended. */
  abandon(): void {
    const abandoned = this.#abandoned
    if (this.#answered || abandoned === undefined) return
    this.#end()
    abandoned()
  }

  #fail(error: unknown): void {
    if (this.#answered) return
    this.broker.logger.error({ err: error, api: this.#route.api.name, clientId: this.clientId }, 'a request failed')
    try {
      this.answer(this.#route.handler.failure(this.#body as never, ErrorCode.UNKNOWN_SERVER_ERROR))
    } catch {
      this.close('a request failed')
    }
  }

  #end(): void {
    this.#answered = true
    this.frame = 0
    if (this.#abandoned !== undefined) {
      this.#abandoned = undefined
      ;(this.connection.context as ConnectionState).waiting.delete(this)
    }
    this.#router.answered()
  }
}
