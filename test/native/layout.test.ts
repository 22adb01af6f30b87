import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Code } from '../../src/native/engine-code.ts'
import * as layout from '../../src/native/layout.ts'
import { inRepository } from '../support/paths.ts'

const test = suite('native layout')

test('the records have the same kinds and flags on both sides', () => {
  const rust = readFileSync(inRepository('native/addon/src/layout.rs'), 'utf8')
  const constants: Record<string, number> = {}
  for (const [, name, value] of rust.matchAll(/^pub const ([A-Z_]+): \w+ = (\d+);$/gm)) constants[name!] = Number(value)
  assert.ok(Object.keys(constants).length > 40)
  assert.equal({ ...layout }, constants)
})

test("the engine's codes have the same names and numbers on both sides", () => {
  const rust = readFileSync(inRepository('native/engine/src/error.rs'), 'utf8')
  const codes: Record<string, number> = {}
  for (const [, name, value] of rust.matchAll(/^ {4}([A-Z]\w+) = (\d+),$/gm)) {
    codes[name![0]!.toLowerCase() + name!.slice(1)] = Number(value)
  }
  assert.ok(Object.keys(codes).length > 20)
  assert.equal({ ...Code }, codes)
})

test.run()
