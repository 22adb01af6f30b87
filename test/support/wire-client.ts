/**
 * A bare Kafka connection for tests: any API at any version, pipelined, answers matched by correlation id. It retries
 * nothing, remembers nothing and trusts nobody: what goes out is what the test wrote.
 */
import { connect, type Socket } from 'node:net'
import type { Api } from '../../src/protocol/api.ts'
import { decodeResponse, encodeRequest, peekCorrelationId } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { Reader } from '../../src/protocol/reader.ts'
import type { Decoded, Encodable, Fields } from '../../src/protocol/schema.ts'
import { Writer } from '../../src/protocol/writer.ts'

interface Waiting {
  resolve(answer: Uint8Array): void
  reject(error: Error): void
}

export class WireClient {
  readonly #socket: Socket
  readonly #waiting = new Map<number, Waiting>()
  readonly closed: Promise<void>
  #received = new Uint8Array(0)
  #nextCorrelationId = 1
  readonly clientId: string | null

  private constructor(socket: Socket, clientId: string | null) {
    this.#socket = socket
    this.clientId = clientId
    socket.setNoDelay(true)
    socket.on('data', chunk => this.#take(chunk))
    // The reason reaches whoever waits, through `close`.
    socket.on('error', () => {})
    this.closed = new Promise(resolve => {
      socket.on('close', () => {
        for (const { reject } of this.#waiting.values()) reject(new Error('the broker closed the connection'))
        this.#waiting.clear()
        resolve()
      })
    })
  }

  static connect(port: number, host = '127.0.0.1', clientId: string | null = 'wire-client'): Promise<WireClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.off('error', reject)
        resolve(new WireClient(socket, clientId))
      })
    })
  }

  /** Sends one request; resolves to its answer, rejects when the connection closes first. */
  async send<Request extends Fields, Response extends Fields>(
    api: Api<Request, Response>,
    version: number,
    request: Encodable<Request>,
  ): Promise<Decoded<Response>> {
    return (await this.exchange(api, version, request)).response
  }

  /** As `send`, with the frame that the answer's records lie in. */
  async exchange<Request extends Fields, Response extends Fields>(
    api: Api<Request, Response>,
    version: number,
    request: Encodable<Request>,
  ): Promise<{ response: Decoded<Response>; frame: Uint8Array }> {
    const frame = await this.#exchange(this.#encode(api, version, request))
    return { response: decodeResponse(new Reader(frame), api, version).response, frame }
  }

  /** Sends a request that gets no answer (acks=0). */
  post<Request extends Fields>(api: Api<Request>, version: number, request: Encodable<Request>): void {
    this.#write(this.#encode(api, version, request).frame)
  }

  /** Sends bytes as they are, length prefix included by the caller. */
  sendBytes(bytes: Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** Sends a whole frame (without its length); resolves to the answer that carries its correlation id. */
  exchangeFrame(frame: Uint8Array): Promise<Uint8Array> {
    return this.#exchange({ correlationId: new DataView(frame.buffer, frame.byteOffset).getInt32(4), frame })
  }

  /** Says that nothing more is coming, and still reads. */
  endWriting(): void {
    this.#socket.end()
  }

  close(): Promise<void> {
    this.#socket.destroy()
    return this.closed
  }

  #encode<Request extends Fields>(api: Api<Request>, version: number, request: Encodable<Request>) {
    const correlationId = this.#nextCorrelationId++
    const header = { correlationId, clientId: this.clientId }
    return { correlationId, frame: joinParts(encodeRequest(new Writer(), api, version, header, request)) }
  }

  #exchange({ correlationId, frame }: { correlationId: number; frame: Uint8Array }): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new Error('the connection is closed'))
      this.#waiting.set(correlationId, { resolve, reject })
      this.#write(frame)
    })
  }

  #write(frame: Uint8Array): void {
    const whole = new Uint8Array(4 + frame.length)
    new DataView(whole.buffer).setInt32(0, frame.length)
    whole.set(frame, 4)
    this.#socket.write(whole)
  }

  #take(chunk: Uint8Array): void {
    const all = new Uint8Array(this.#received.length + chunk.length)
    all.set(this.#received)
    all.set(chunk, this.#received.length)
    const view = new DataView(all.buffer)
    let at = 0
    while (all.length - at >= 4 && all.length - at - 4 >= view.getInt32(at)) {
      const frame = all.slice(at + 4, at + 4 + view.getInt32(at))
      at += 4 + frame.length
      const correlationId = peekCorrelationId(frame)
      const waiting = this.#waiting.get(correlationId)
      this.#waiting.delete(correlationId)
      waiting?.resolve(frame)
    }
    this.#received = all.slice(at)
  }
}
