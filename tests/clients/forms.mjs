// What the scripts about structured answers share: a form that is soon full, and what is of it. The
// model answers nonsense, so that only the form can make it right.
import assert from 'node:assert/strict';
import { z } from 'zod';

export const lamp = z.object({
  name: z.string().max(8),
  colour: z.enum(['red', 'green', 'blue']),
  watts: z.number().int().min(1).max(99),
  tags: z.array(z.enum(['old', 'new'])).max(2),
});

// The same, written as JSON Schema.
export const lamp_schema = {
  type: 'object',
  properties: {
    name: { type: 'string', maxLength: 8 },
    colour: { enum: ['red', 'green', 'blue'] },
    watts: { type: 'integer', minimum: 1, maximum: 99 },
    tags: { type: 'array', items: { enum: ['old', 'new'] }, maxItems: 2 },
  },
  required: ['name', 'colour', 'watts', 'tags'],
  additionalProperties: false,
};

export function assert_lamp(value) {
  assert.ok(lamp.strict().safeParse(value).success, JSON.stringify(value));
  return value;
}

export const about = 'A lamp for the garden';
// Sampling as it comes by itself, and wilder.
export const temperatures = [undefined, 1, 2];
// More tokens than one form can take, with all the blanks between its parts.
export const enough = 700;
