/** Plain sockets for tests of listeners: frames out, frames in. */
import { connect as connectSocket, type Socket } from 'node:net'

/** `body` with its length before it. */
export function framed(body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(4 + body.length)
  new DataView(frame.buffer).setInt32(0, body.length)
  frame.set(body, 4)
  return frame
}

/** A frame's content with this API key and version, and `bytes` behind them. */
export function request(key: number, version: number, bytes: ArrayLike<number>): Uint8Array {
  const body = new Uint8Array(4 + bytes.length)
  new DataView(body.buffer).setInt16(0, key)
  new DataView(body.buffer).setInt16(2, version)
  body.set(bytes, 4)
  return body
}

export class TestSocket {
  readonly socket: Socket
  /** Resolves when the other side has closed. */
  readonly closed: Promise<void>
  #received: Uint8Array = new Uint8Array(0)
  #ended = false
  #waiting: (() => void) | undefined

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('data', (data: Uint8Array) => {
      const joined = new Uint8Array(this.#received.length + data.length)
      joined.set(this.#received)
      joined.set(data, this.#received.length)
      this.#received = joined
      this.#waiting?.()
    })
    this.closed = new Promise(resolve => {
      socket.on('close', () => {
        this.#ended = true
        this.#waiting?.()
        resolve()
      })
    })
  }

  static connect(port: number, host = '127.0.0.1'): Promise<TestSocket> {
    return new Promise((resolve, reject) => {
      const socket = connectSocket(port, host)
      socket.once('error', reject)
      socket.once('connect', () => resolve(new TestSocket(socket)))
    })
  }

  send(...bodies: Uint8Array[]): void {
    for (const body of bodies) this.socket.write(framed(body))
  }

  /** The next frame's content; rejects when the connection ends first. */
  async receive(): Promise<Uint8Array> {
    for (;;) {
      if (this.#received.length >= 4) {
        const length = new DataView(this.#received.buffer, this.#received.byteOffset).getInt32(0)
        if (this.#received.length >= 4 + length) {
          const body = this.#received.slice(4, 4 + length)
          this.#received = this.#received.subarray(4 + length)
          return body
        }
      }
      if (this.#ended) throw new Error('the connection ended')
      await new Promise<void>(resolve => {
        this.#waiting = resolve
      })
    }
  }

  end(): Promise<void> {
    this.socket.destroy()
    return this.closed
  }
}
