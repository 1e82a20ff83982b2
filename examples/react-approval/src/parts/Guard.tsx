/** Nothing blanks the page: a part that cannot be drawn says so, and leaves the others alone. */

import { Component, type ReactNode } from "react";
import { Notice } from "./basics";

interface Props {
  /** What is guarded, at the beginning of a sentence. */
  what: string;
  /** Which one; another one is tried anew. */
  of: string;
  /** What to show instead. */
  instead?: ReactNode;
  children: ReactNode;
}

interface State {
  of: string;
  failure: string | null;
}

export class Guard extends Component<Props, State> {
  override state: State = { of: this.props.of, failure: null };

  static getDerivedStateFromError(error: unknown): Partial<State> {
    return { failure: error instanceof Error ? error.message : String(error) };
  }

  static getDerivedStateFromProps(props: Props, state: State): State | null {
    return props.of === state.of ? null : { of: props.of, failure: null };
  }

  override render(): ReactNode {
    const { failure } = this.state;
    if (failure === null) return this.props.children;
    return (
      <>
        <Notice tone="bad" role="alert" title={`${this.props.what} cannot be shown`}>
          <p>
            The page has met something it did not expect: <bdi>{failure}</bdi>
          </p>
          <p>The rest of the page goes on, and an answer that was given before is kept.</p>
          <button
            type="button"
            className="button quiet"
            onClick={() => {
              this.setState({ failure: null });
            }}
          >
            Try again
          </button>
        </Notice>
        {this.props.instead}
      </>
    );
  }
}
