// SPDX-License-Identifier: Apache-2.0
// The way of a request through the gateway. Every request takes these steps, in this order:
//
//   receive       gives the request an id; refuses one that has been here before            ReceiveStep
//   limit         refuses a client that sends more than it may                              LimitStep
//   admit         refuses what no route serves; sends plain HTTP to HTTPS                   AdmitStep
//   route         finds the route, and with it the responder                                RouteStep
//   authenticate  notes who has proved to be the client                                     AuthenticateStep
//   rewrite       checks that the target can be changed as the route wants                  RewriteStep
//   lookUp        looks in the cache: a stored response changes the responder               LookUpStep
//   respond       has the responder answer: upstream, stored, shared, redirect, fixed       RespondStep
//   record        counts and logs the exchange, when it has ended                           RecordStep
//
// A new step is a case here and a file beside this one. A step knows nothing of the others.

/// A step of a request's way.
enum Step: UInt8 {
    case receive, limit, admit, route, authenticate, rewrite, lookUp, respond, record

    /// The step after this one. Nil for the last.
    var next: Step? { Step(rawValue: rawValue + 1) }
}

/// What a step has come to.
enum StepOutcome {
    /// The exchange goes on with the next step.
    case next
    /// Something will call `ProxyExchange.resume(_:)`: a disk, another request's fill, a server, the client.
    case wait
    /// The response has been written, or is being written; nothing but `record` follows.
    case answered
}

extension ProxyExchange {
    /// Takes the exchange from its present step as far as it goes without waiting.
    func advance() {
        while true {
            let taken = step
            let outcome: StepOutcome =
                switch taken {
                case .receive: ReceiveStep.run(self)
                case .limit: LimitStep.run(self)
                case .admit: AdmitStep.run(self)
                case .route: RouteStep.run(self)
                case .authenticate: AuthenticateStep.run(self)
                case .rewrite: RewriteStep.run(self)
                case .lookUp: LookUpStep.run(self)
                case .respond: RespondStep.run(self)
                case .record: RecordStep.run(self)
                }
            // A response that ends within a step has brought the exchange to `record` already.
            guard outcome == .next, step == taken, goOn() else { return }
        }
    }

    /// Goes on when what the present step waited for has happened. `outcome`: what the step has come to.
    func resume(_ outcome: StepOutcome) {
        guard outcome == .next, goOn() else { return }
        advance()
    }

    /// False at the end of the way. `respond` follows itself: then it is another responder's turn.
    private func goOn() -> Bool {
        switch step {
        case .record: return false
        case .respond: return true
        default:
            guard let next = step.next else { return false }
            step = next
            return true
        }
    }
}
