import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { BrokerPorts, Handler, RequestContext } from '../../src/broker/context.ts'
import { Router } from '../../src/broker/router.ts'
import { SimulatedHost } from '../../src/host/simulated.ts'
import type { Connection, Part, ReplyOptions } from '../../src/net/net.ts'
import { metadata } from '../../src/protocol/apis/03-metadata.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { decodeResponse, encodeRequest } from '../../src/protocol/headers.ts'
import { joinParts } from '../../src/protocol/messages.ts'
import { Reader } from '../../src/protocol/reader.ts'
import { Writer } from '../../src/protocol/writer.ts'

const test = suite('router')

const FRAME = 5

/** A router with one handler, a connection that notes what is done to it, and a request to send. */
function routed(handle: (context: RequestContext) => ReturnType<Handler['handle']>) {
  const done: string[] = []
  const logged: string[] = []
  const host = new SimulatedHost({ seed: 1 })
  const logger = { error: (_fields: object, text: string) => void logged.push(text) }
  const handler: Handler = {
    apiKey: metadata.key,
    handle: context => handle(context),
    failure: (_request, errorCode) => ({ brokers: [], topics: [], errorCode }),
  }
  const router = new Router({ host, logger } as unknown as BrokerPorts, [handler])
  const connection = {
    open: true,
    context: undefined,
    releaseFrame: (frame: number) => void done.push(`release ${frame}`),
    close: () => void done.push('close'),
    reply(sequence: number, frame: number, parts: readonly Part[], options: ReplyOptions = {}) {
      if (options.noAnswer) return done.push(`nothing ${sequence}`)
      const { response } = decodeResponse(new Reader(joinParts(parts)), metadata, 13)
      return done.push(`reply ${sequence} frame ${frame} code ${response.errorCode}`)
    },
  } as unknown as Connection
  router.onConnected(connection)
  const send = (version = 13) => {
    const header = { correlationId: 1, clientId: null }
    const bytes = joinParts(encodeRequest(new Writer(), metadata, 13, header, { topics: [] }))
    new DataView(bytes.buffer, bytes.byteOffset).setInt16(2, version)
    router.onRequest({
      connection,
      sequence: 3,
      frame: FRAME,
      frameBytes: bytes.length,
      bytes,
      elisions: [],
      arrivedUs: 0,
    })
  }
  return { router, connection, done, logged, host, send }
}

const answer = { brokers: [], topics: [] }
const settled = () => new Promise(resolve => setImmediate(resolve))

test('an answer at once carries the frame', () => {
  const { done, send } = routed(() => answer)
  send()
  assert.equal(done, ['reply 3 frame 5 code 0'])
})

test('a request that waits gives its frame back before it is answered', async () => {
  let resolve: (response: object) => void = () => {}
  const { done, send } = routed(() => new Promise<object>(later => (resolve = later)))
  send()
  assert.equal(done, ['release 5'])
  resolve(answer)
  await settled()
  assert.equal(done, ['release 5', 'reply 3 frame 0 code 0'])
})

test('a handler that throws or rejects fails its own request', async () => {
  for (const fail of [
    () => {
      throw new Error('no')
    },
    async () => {
      throw new Error('no')
    },
  ]) {
    const { done, logged, send } = routed(fail)
    send()
    await settled()
    assert.ok(
      done.some(each => each.startsWith('reply 3') && each.endsWith(`code ${ErrorCode.UNKNOWN_SERVER_ERROR}`)),
      done.join(),
    )
    assert.is(logged.length, 1)
  }
})

test('an answer that can not be written closes the connection', () => {
  const { done, logged, send } = routed(() => ({ brokers: null, topics: [] }))
  send()
  assert.equal([done, logged.length], [['release 5', 'close'], 1])
})

test('a request is answered once', () => {
  const { done, send } = routed(context => {
    context.answerNothing()
    context.answer(answer)
    context.close('late')
    return undefined
  })
  send()
  assert.equal(done, ['nothing 3'])
})

test('an unsupported version closes the connection and gives the frame back', () => {
  const { done, send } = routed(() => answer)
  send(14)
  assert.equal(done, ['release 5', 'close'])
})

test('a waiting request hears that its connection has ended, once, and its late answer goes nowhere', () => {
  let abandoned = 0
  let late: () => void = () => {}
  const { router, connection, done, send } = routed(context => {
    context.onAbandoned(() => abandoned++)
    late = () => context.answer(answer)
    return undefined
  })
  send()
  router.onClosed(connection)
  router.onClosed(connection)
  late()
  assert.equal([abandoned, done], [1, ['release 5']])
})

test('an answered request is not told of the end of its connection', () => {
  let abandoned = 0
  const { router, connection, send } = routed(context => {
    context.onAbandoned(() => abandoned++)
    return answer
  })
  send()
  router.onClosed(connection)
  assert.is(abandoned, 0)
})

test('a router is idle when nothing is unanswered, or after the time that is given', async () => {
  let finish: () => void = () => {}
  const { router, host, send } = routed(context => {
    finish = () => context.answer(answer)
    return undefined
  })
  await router.idle(1000)
  send()
  let idle = false
  void router.idle(1000).then(() => {
    idle = true
  })
  await settled()
  assert.is(idle, false)
  finish()
  await settled()
  assert.is(idle, true)
  send()
  idle = false
  void router.idle(1000).then(() => {
    idle = true
  })
  await host.advance(1000)
  assert.is(idle, true)
})

test('a request whose answer was sent ahead is counted as answered, once, and nothing is sent for it', async () => {
  const sent: (() => void)[] = []
  const { router, done, send } = routed(context => {
    sent.push(() => context.answeredAhead())
    return undefined
  })
  send()
  send()
  let idle = false
  void router.idle(1000).then(() => {
    idle = true
  })
  sent[0]?.()
  sent[0]?.()
  await settled()
  assert.is(idle, false)
  sent[1]?.()
  await settled()
  assert.is(idle, true)
  assert.equal(done, ['release 5', 'release 5'])
})

test.run()
