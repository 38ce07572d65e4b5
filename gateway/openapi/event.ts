import { eventFilter } from '../route/event.ts'
import { endpointExample, eventExample } from './example.ts'
import { show } from './operation.ts'
import type { Operation } from './operation.ts'

const notFound = { 404: ['event_not_found'] }
const secret = 'whsec_ZXhhbXBsZSBzZWNyZXQgb2Ygbm8gcmVhbCBzaG9w'

/** What a merchant's systems are told, and where. */
export const eventOperations: readonly Operation[] = [
  {
    method: 'get',
    path: '/v1/events',
    id: 'listEvents',
    tag: 'event',
    scope: 'event:read',
    summary: 'Events, the oldest first: the pull side of what is sent',
    query: eventFilter,
    answers: {
      200: show('EventPage', 'A page', {
        object: 'list',
        data: [eventExample],
        next_cursor: null,
      }),
    },
  },
  {
    method: 'get',
    path: '/v1/events/{id}',
    id: 'readEvent',
    tag: 'event',
    scope: 'event:read',
    summary: 'An event',
    answers: { 200: show('Event', 'With the body that is sent', eventExample) },
    problems: notFound,
  },
  {
    method: 'get',
    path: '/v1/events/{id}/deliveries',
    id: 'listDeliveries',
    tag: 'event',
    scope: 'event:read',
    summary: 'How an event fared at each endpoint',
    answers: {
      200: show('DeliveryList', 'Its deliveries with their latest attempts', {
        object: 'list',
        data: [
          {
            id: 'd01mvz0pk4f6g8h0j2k1l3z5x7c',
            object: 'delivery',
            endpoint: endpointExample.id,
            state: 'delivered',
            attempts: 1,
            next_attempt_at: null,
            delivered_at: '2026-03-01T04:01:08.300Z',
            latest_attempts: [
              {
                attempt: 1,
                at: '2026-03-01T04:01:08.300Z',
                status: 204,
                error: null,
                elapsed_ms: 41,
              },
            ],
          },
        ],
      }),
    },
    problems: notFound,
  },
  {
    method: 'post',
    path: '/v1/events/{id}/resend',
    id: 'resendEvent',
    tag: 'event',
    scope: 'event:write',
    summary: 'Send an event to every endpoint again, from the first attempt',
    answers: {
      202: show('Resend', 'It is on its way', {
        object: 'resend',
        event: eventExample.id,
        deliveries: 1,
      }),
    },
    problems: notFound,
  },
  {
    method: 'post',
    path: '/v1/event_endpoints',
    id: 'addEventEndpoint',
    tag: 'event',
    scope: 'event:write',
    summary: 'Add an address that is told what happens',
    body: show('EventEndpointRequest', 'Where to', { url: endpointExample.url }),
    answers: {
      201: show('NewEventEndpoint', 'The only answer that holds the secret', {
        id: endpointExample.id,
        object: 'event_endpoint',
        url: endpointExample.url,
        secret,
      }),
    },
    problems: { 409: ['too_many_endpoints'], 422: ['url_refused'] },
  },
  {
    method: 'get',
    path: '/v1/event_endpoints',
    id: 'listEventEndpoints',
    tag: 'event',
    scope: 'event:read',
    summary: 'The addresses that are called, the oldest first',
    answers: {
      200: show('EventEndpointList', 'All of them', { object: 'list', data: [endpointExample] }),
    },
  },
  {
    method: 'delete',
    path: '/v1/event_endpoints/{id}',
    id: 'removeEventEndpoint',
    tag: 'event',
    scope: 'event:write',
    summary: 'Call an address no more',
    answers: { 204: { about: 'Done' } },
    problems: { 404: ['endpoint_not_found'] },
  },
  {
    method: 'post',
    path: '/v1/event_endpoints/{id}/secret',
    id: 'rotateEventSecret',
    tag: 'event',
    scope: 'event:write',
    summary: 'Give a new secret; the old one signs beside it for a day',
    answers: {
      201: show('NewEventEndpointSecret', 'The only answer that holds the secret', {
        id: endpointExample.id,
        object: 'event_endpoint',
        secret,
        previous_secret_until: '2026-03-02T04:00:00.000Z',
      }),
    },
    problems: { 404: ['endpoint_not_found'] },
  },
]
