import { describe, expect, it } from 'vitest'
import {
  emptyQuestion,
  type Question,
  type QuestionFields,
  questionOf,
} from '../../src/page/explain/question.ts'

describe('a question to explain', () => {
  const table: [string, Partial<QuestionFields>, Question | null][] = [
    ['is not asked without a recipient', { from: 'a@example.com', to: ' \n' }, null],
    [
      'has several recipients however they are separated',
      { from: 'a@example.com', to: 'b@example.org, c@example.org;\nd@example.net' },
      { from: 'a@example.com', to: ['b@example.org', 'c@example.org', 'd@example.net'] },
    ],
    [
      'has the null reverse-path where there is no sender',
      { to: 'b@example.org' },
      { from: '', to: ['b@example.org'] },
    ],
    [
      'has a size and an address where they are given',
      { to: 'b@example.org', size: ' 35MB ', ip: '192.0.2.1' },
      { from: '', to: ['b@example.org'], size: '35MB', ip: '192.0.2.1' },
    ],
    [
      'has header fields, folded ones as one',
      { to: 'b@example.org', headers: 'From: A\r\n <a@example.com>\n\nSubject: Hello\n' },
      { from: '', to: ['b@example.org'], header: ['From: A <a@example.com>', 'Subject: Hello'] },
    ],
    [
      'leaves header fields to a whole message',
      { to: 'b@example.org', headers: 'Subject: Other', message: 'Subject: Mine\n\nText\n' },
      { from: '', to: ['b@example.org'], message: 'Subject: Mine\n\nText\n' },
    ],
  ]
  it.each(table)('%s', (_, fields, question) => {
    expect(questionOf({ ...emptyQuestion, ...fields })).toEqual(question)
  })
})
