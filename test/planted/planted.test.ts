/** The bugs that `npm run planted` plants still have their places, and the tests that must notice them are there. */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { inRepository } from '../support/paths.ts'
import { bugs } from './bugs.ts'
import { inStorage } from './storage.ts'

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
  const names = [...bugs, ...inStorage].map(bug => bug.name)
  assert.is(new Set(names).size, names.length)
})

test('a bug of the engine has a switch and a test that is there', () => {
  const source = textOf('native/engine/src/planted.rs')
  const switches = [...source.matchAll(/ = "([^"]+)",/g)].map(([, name]) => name)
  assert.equal(switches.toSorted(), inStorage.map(bug => bug.name).toSorted())
  for (const { name, test: file, red } of inStorage) {
    assert.ok(textOf(`native/${file}`).includes(`fn ${red}()`), `native/${file} has ${red}, to notice "${name}"`)
  }
})

test('the addon that ships is built without the bugs of the engine', () => {
  const manifests = ['native/addon/Cargo.toml', 'native/reactor/Cargo.toml', 'Cargo.toml', 'scripts/build-native.mjs']
  for (const manifest of manifests) assert.not.match(textOf(manifest), /planted/, manifest)
  assert.match(textOf('native/engine/Cargo.toml'), /\nplanted = \[\]\n/)
  assert.not.match(textOf('native/engine/Cargo.toml'), /\ndefault = /)
})

test.run()
