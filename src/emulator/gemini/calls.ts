// Which functions the model calls, and with what.
import type { Behaviour } from '../behaviour.ts';
import { isObject } from '../json.ts';
import { exampleOf } from './example.ts';
import { type GeminiQuestion, responsesTo } from './gemini-question.ts';
import type { FunctionDeclaration, Part } from './generate-content.ts';

const UNDECLARED = 'lookup';

/** Empty when the answer is a text: nobody asked for calls, or they were just answered. */
export function callParts(question: GeminiQuestion, behaviour: Behaviour): readonly Part[] {
  if (responsesTo(question).length > 0) return [];
  const declarations = (question.request.tools ?? []).flatMap((tool) => tool.functionDeclarations ?? []);
  return calledNames(question, behaviour, declarations).map((name, index) => {
    const declaration = declarations.find((declared) => declared.name === name);
    return { functionCall: { name, args: argumentsFor(declaration, question.quote, index) } };
  });
}

function calledNames(
  question: GeminiQuestion,
  behaviour: Behaviour,
  declarations: readonly FunctionDeclaration[],
): readonly string[] {
  if (behaviour.callName !== undefined) return [behaviour.callName];
  const { mode, allowedFunctionNames = [] } = question.request.toolConfig?.functionCallingConfig ?? {};
  const declared = declarations.map(({ name }) => name);
  const allowed =
    allowedFunctionNames.length > 0 ? declared.filter((name) => allowedFunctionNames.includes(name)) : declared;
  if (behaviour.callCount !== undefined) {
    const names = allowed.length > 0 ? allowed : [UNDECLARED];
    return Array.from({ length: behaviour.callCount }, (_, index) => names[index % names.length] ?? UNDECLARED);
  }
  return mode === 'ANY' ? allowed.slice(0, 1) : [];
}

function argumentsFor(declaration: FunctionDeclaration | undefined, quote: string, index: number) {
  const text = index === 0 ? quote : `${quote} (${index + 1})`;
  const example = exampleOf(declaration?.parametersJsonSchema ?? declaration?.parameters, text);
  if (isObject(example)) return example;
  return declaration ? {} : { question: text, number: index + 1 };
}
