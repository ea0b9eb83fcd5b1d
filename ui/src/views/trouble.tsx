// What went wrong with a view's question, in words, with the server's own sentence below.
import type { VNode } from 'preact';
import { t } from '../i18n';
import { Failure } from '../net/errors';

export function wordsFor(error: unknown): string {
  const words = t();
  const trouble = error instanceof Failure ? error.trouble : 'strange';
  switch (trouble) {
    case 'offline':
      return words.noServer;
    case 'key':
      return words.keyNeeded;
    case 'role':
      return words.mayNot;
    case 'busy':
      return words.viewBusy;
    case 'loading':
      return words.viewLoading;
    case 'size':
      return words.tooLong;
    case 'gone':
    case 'missing':
      return words.viewGone;
    case 'cut':
      return words.interrupted;
    case 'strange':
      return words.notAnswer;
    default:
      return words.failed;
  }
}

export function Trouble({ error, again }: { error: unknown; again?: () => void }): VNode {
  const said = error instanceof Failure ? error.said : '';
  return (
    <div class="trouble" role="alert">
      <p>{wordsFor(error)}</p>
      {said && (
        <p class="muted small" dir="auto">
          {t().serverSays}: {said}
        </p>
      )}
      {again && (
        <button type="button" class="button small" onClick={again}>
          {t().tryAgain}
        </button>
      )}
    </div>
  );
}
