/** An error as a person reads it, with what the service said for those who want to know. */

import { ApiError } from "../api/problem";
import { errorKey, type Translate } from "../i18n";

interface Props {
  t: Translate;
  /** Undefined where there is none. */
  error: unknown;
  onDismiss?: (() => void) | undefined;
  onRetry?: (() => void) | undefined;
}

export function ErrorBox({ t, error, onDismiss, onRetry }: Props) {
  const known = error instanceof ApiError ? error : undefined;
  const detail = known?.detail ?? (error instanceof Error ? error.message : String(error));
  return (
    <div role="alert" class="alert-region">
      {error !== undefined && (
        <div class="error">
          <div>
            <p class="error-text">{t(errorKey(known?.kind ?? "unknown"))}</p>
            {detail && (
              <details>
                <summary>{t("error.details")}</summary>
                <p>{detail}</p>
              </details>
            )}
          </div>
          {onRetry && (
            <button type="button" onClick={onRetry}>
              {t("app.retry")}
            </button>
          )}
          {!onRetry && onDismiss && (
            <button type="button" class="quiet" aria-label={t("intake.close")} onClick={onDismiss}>
              ✕
            </button>
          )}
        </div>
      )}
    </div>
  );
}
