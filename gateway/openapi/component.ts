import type { z } from 'zod'
import { capabilitySchema } from '../capability.ts'
import { caseSchema } from '../case-view.ts'
import { discrepancySchema } from '../discrepancy-view.ts'
import { endpointSchema, newEndpointSchema, newSecretSchema } from '../endpoint-view.ts'
import { deliverySchema, eventSchema, resendSchema } from '../event-view.ts'
import { listSchema, pageSchema } from '../list.ts'
import { orderSchema } from '../order-view.ts'
import { paymentBody } from '../payment-body.ts'
import { paymentSchema } from '../payment-view.ts'
import { problemSchema } from '../problem.ts'
import { reconciliationSchema } from '../reconciliation-view.ts'
import { refundSchema } from '../refund-view.ts'
import { endpointBody } from '../route/event-endpoint.ts'
import { refundBody } from '../route/refund.ts'
import { timelineSchema } from '../route/timeline.ts'

/** The schemas that the routes read and write by, under the names that the document gives them. */
export const components = {
  PaymentRequest: paymentBody,
  Payment: paymentSchema,
  PaymentPage: pageSchema(paymentSchema),
  Timeline: timelineSchema,
  Order: orderSchema,
  RefundRequest: refundBody,
  Refund: refundSchema,
  RefundList: listSchema(refundSchema),
  RefundPage: pageSchema(refundSchema),
  Event: eventSchema,
  EventPage: pageSchema(eventSchema),
  Delivery: deliverySchema,
  DeliveryList: listSchema(deliverySchema),
  Resend: resendSchema,
  EventEndpointRequest: endpointBody,
  EventEndpoint: endpointSchema,
  EventEndpointList: listSchema(endpointSchema),
  NewEventEndpoint: newEndpointSchema,
  NewEventEndpointSecret: newSecretSchema,
  Case: caseSchema,
  CasePage: pageSchema(caseSchema),
  Reconciliation: reconciliationSchema,
  ReconciliationPage: pageSchema(reconciliationSchema),
  Discrepancy: discrepancySchema,
  DiscrepancyPage: pageSchema(discrepancySchema),
  Capability: capabilitySchema,
  CapabilityList: listSchema(capabilitySchema),
  Problem: problemSchema,
} as const

export type ComponentName = keyof typeof components

/** What JSON fits a component, before a schema gives it its defaults. */
export type Shown<Name extends ComponentName> = z.input<(typeof components)[Name]>
