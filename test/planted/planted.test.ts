/** The bugs that `npm run planted` plants still have their places, and the tests that must notice them are there. */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inRepository } from '../support/paths.ts'
import { bugs } from './bugs.ts'

const test = suite('planted bugs')

const texts = new Map<string, string>()

function textOf(path: string): string {
  let text = texts.get(path)
  if (text === undefined) texts.set(path, (text = readFileSync(inRepository(path), 'utf8')))
  return text
}

test('a bug has one place in the sources, and changes it', () => {
  for (const { name, file, from, to } of bugs) {
    assert.is(textOf(`src/${file}`).split(from).length - 1, 1, `"${name}" has one place in src/${file}`)
    assert.is.not(from, to, name)
  }
})

test('a bug has a test that is there', () => {
  for (const { name, test: file, red } of bugs) {
    assert.ok(textOf(`test/${file}`).includes(red), `test/${file} has "${red}", which is to notice "${name}"`)
  }
})

test('a bug has a name of its own', () => {
  assert.is(new Set(bugs.map(bug => bug.name)).size, bugs.length)
})

test.run()
