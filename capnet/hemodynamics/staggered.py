r"""One beat of the nonlinear equations, for a block of subjects.

Volume :math:`V` at nodes, flow :math:`Q` between them, semi-implicit in time (in space
like Casulli, Dumbser and Toro 2012, doi:10.1002/cnm.2464; in time the implicit-explicit
backward differences of second order of Ascher, Ruuth and Wetton 1995,
doi:10.1137/0732037). With :math:`x^* = (4 x^n - x^{n-1})/3` and
:math:`\tau = 2\Delta t/3`,

.. math::
    V^{n+1} = V^* + \tau N^{n+1}, \quad N = \sum_{in} Q - \sum_{out} Q, \qquad
    P^{n+1} = P^* + \frac{\tau + \tau_w}{dV/dP} N^{n+1},

    Q^{n+1} = Q^* - \tau\left(\frac{A}{\rho}\frac{\Delta P^{n+1}}{\Delta x}
    + \alpha \frac{\Delta (Q^2/A)}{\Delta x} + \frac{f}{\rho A} Q^{n+1}\right).

Pressure gradient, wall viscosity (:math:`\tau_w` is the Voigt time of the wall),
friction and vascular beds are implicit, so that they limit no step; convection and the
lumen are extrapolated, :math:`2 x^n - x^{n-1}`. Eliminating :math:`Q^{n+1}` leaves one
positive definite system for :math:`P^{n+1}`, which is solved by removing node after
node: no iteration, loops exact. Volumes change by exchanged flows only, so mass is
conserved to rounding.

Where an artery meets others, its end stores its share of what its node stores, so the
flow there follows from that half interval away. Static pressure is the same in all
arteries that meet, or (``total_head``) total pressure :math:`P + \rho u^2/2` is; then
the node's pressure is the mean of its ends' by their compliance.

The last axis of every array holds a fixed number of subjects.
"""

import math
from typing import Final, no_type_check

import numpy as np

from capnet.compiled import compiled

__all__ = ["LANES", "beat"]

LANES: Final = 8
"""Subjects of a block."""


@compiled(fastmath=True)
@no_type_check
def beat(mesh, body, run, state, sites):  # noqa: ANN001, ANN201
    """Advance a block of subjects by one beat, in place.

    Args:
        mesh: Integer arrays, see `capnet.hemodynamics.mesh`.
        body: Coefficients of the subjects, last axis subjects.
        run: Step, beds, and inflow of every step.
        state: What is advanced.
        sites: Where waves are recorded, and the records.
    """
    (
        left,
        right,
        through,
        after,
        end_node,
        end_first,
        end_side,
        link,
        n_links,
        order,
        first,
        near,
        links,
        bridge_first,
        bridge,
        one,
        other,
        root,
        beds,
    ) = mesh
    (
        c1,
        k1,
        k4,
        half,
        area,
        stretch,
        drag,
        force,
        pull,
        through_area,
        through_stretch,
        end_area,
        end_stretch,
        end_share,
        slow,
        reference,
    ) = body
    (
        source,
        step_size,
        alpha,
        density,
        total_head,
        bed_conductance,
        bed_keep,
        bed_push,
        bed_rest,
    ) = run
    (
        volume,
        volume_star,
        pressure,
        pressure_star,
        pressure_next,
        flow,
        flow_star,
        flow_next,
        store,
        store_star,
        gain,
        gain_next,
    ) = state
    site_end, record_pressure, record_wall, record_flow = sites
    n_nodes, n_intervals, n_steps = len(volume), len(flow), len(source)
    n_through, n_ends, n_beds = len(through), len(end_node), len(beds)
    admit = np.empty((n_nodes, LANES))
    ground = np.empty((n_nodes, LANES))
    inverse = np.empty((n_nodes, LANES))
    rhs = np.empty((n_nodes, LANES))
    rise = np.empty((n_nodes, LANES))
    head = np.zeros((n_nodes, LANES))
    joint = np.empty((n_links, LANES))
    momentum = np.empty((n_intervals, LANES))
    lift = np.zeros((n_intervals, LANES))
    admittance = np.empty((n_intervals, LANES))
    speed = np.empty((n_ends, LANES))
    end_lift = np.zeros((n_ends, LANES))
    third = 1.0 / 3.0
    for step in range(n_steps):
        for i in range(n_nodes):
            for s in range(LANES):
                y = (c1[i, s] + 0.5 * k4[i, s] * pressure_next[i, s]) * slow[i, s]
                admit[i, s] = y
                ground[i, s] = y
                rhs[i, s] = 0.0
        for s in range(LANES):
            rhs[root, s] = source[step, s]
        for j in range(n_links):
            for s in range(LANES):
                joint[j, s] = 0.0
        for j in range(n_intervals):
            for s in range(LANES):
                momentum[j, s] = 0.0
        # Momentum that passes the nodes.
        for t in range(n_through):
            i, b = through[t], after[t]
            a = b - 1
            for s in range(LANES):
                r = 1.0 + (pressure_next[i, s] - reference[s]) * through_stretch[t, s]
                q = 0.5 * (flow_next[a, s] + flow_next[b, s])
                m = alpha * q * q / (through_area[t, s] * r * r)
                momentum[a, s] += m
                momentum[b, s] -= m
        for e in range(n_ends):
            i, a = end_node[e], end_first[e]
            sign = 1.0 * end_side[e]
            for s in range(LANES):
                p = pressure_next[i, s] + end_lift[e, s] - reference[s]
                r = 1.0 + p * end_stretch[e, s]
                q = flow_next[a, s] + sign * end_share[e, s] * gain_next[i, s]
                u = q / (end_area[e, s] * r * r)
                momentum[a, s] -= sign * alpha * q * u
                speed[e, s] = u * u
        if total_head:
            for i in range(n_nodes):
                for s in range(LANES):
                    head[i, s] = 0.0
            for j in range(n_intervals):
                for s in range(LANES):
                    lift[j, s] = 0.0
            for e in range(n_ends):
                i = end_node[e]
                for s in range(LANES):
                    head[i, s] += end_share[e, s] * speed[e, s]
            for e in range(n_ends):
                i, a = end_node[e], end_first[e]
                sign = 1.0 * end_side[e]
                for s in range(LANES):
                    h = 0.5 * density * (head[i, s] - speed[e, s])
                    end_lift[e, s] = h
                    lift[a, s] -= sign * h
        # Flow if the nodes kept their pressure, and what a pressure difference adds.
        for j in range(n_intervals):
            a, b, k = left[j], right[j], link[j]
            for s in range(LANES):
                p = 0.5 * (pressure_next[a, s] + pressure_next[b, s]) - reference[s]
                r = 1.0 + p * stretch[j, s]
                lumen = area[j, s] * r * r
                part = lumen / (lumen + drag[s])
                g = force[j, s] * lumen * part
                q = (flow_star[j, s] - pull[j, s] * momentum[j, s]) * part
                fall = pressure_star[a, s] - pressure_star[b, s] - lift[j, s]
                q += g * fall
                flow_next[j, s] = q
                admittance[j, s] = g
                joint[k, s] += g
                rhs[a, s] -= q
                rhs[b, s] += q
        for t in range(n_beds):
            i = beds[t]
            for s in range(LANES):
                g = bed_conductance[t, s]
                y = g * (1.0 - bed_push[t, s])
                ground[i, s] += y
                fixed = bed_keep[t, s] * store_star[t, s] + bed_rest[t, s]
                rhs[i, s] -= y * pressure_star[i, s] - g * fixed
        # Remove node after node: only sums and products of positive numbers.
        for k in range(len(order)):
            i = order[k]
            for s in range(LANES):
                inverse[i, s] = ground[i, s]
            for d in range(first[k], first[k + 1]):
                l = links[d]
                for s in range(LANES):
                    inverse[i, s] += joint[l, s]
            for s in range(LANES):
                inverse[i, s] = 1.0 / inverse[i, s]
            for d in range(first[k], first[k + 1]):
                l, m = links[d], near[d]
                for s in range(LANES):
                    part = joint[l, s] * inverse[i, s]
                    rhs[m, s] += part * rhs[i, s]
                    ground[m, s] += part * ground[i, s]
            for c in range(bridge_first[k], bridge_first[k + 1]):
                x, l, o = bridge[c], links[one[c]], links[other[c]]
                for s in range(LANES):
                    joint[x, s] += joint[l, s] * inverse[i, s] * joint[o, s]
        for s in range(LANES):
            rise[root, s] = rhs[root, s] / ground[root, s]
        for k in range(len(order) - 1, -1, -1):
            i = order[k]
            for s in range(LANES):
                rise[i, s] = rhs[i, s]
            for d in range(first[k], first[k + 1]):
                l, m = links[d], near[d]
                for s in range(LANES):
                    rise[i, s] += joint[l, s] * rise[m, s]
            for s in range(LANES):
                rise[i, s] *= inverse[i, s]
        for r in range(len(site_end)):
            e = site_end[r]
            i, a = end_node[e], end_first[e]
            for s in range(LANES):
                p = pressure_star[i, s] + end_lift[e, s]
                q = flow_next[a, s]
                q += admittance[a, s] * (rise[left[a], s] - rise[right[a], s])
                q += end_side[e] * end_share[e, s] * admit[i, s] * rise[i, s]
                # What the wall carries without its viscosity.
                wall = p + rise[i, s] * step_size[s] * slow[i, s]
                p += rise[i, s]
                record_pressure[step, r, s] = p
                record_wall[step, r, s] = wall
                record_flow[step, r, s] = q
        for j in range(n_intervals):
            a, b = left[j], right[j]
            for s in range(LANES):
                q = flow_next[j, s] + admittance[j, s] * (rise[a, s] - rise[b, s])
                old = flow[j, s]
                flow[j, s] = q
                flow_star[j, s] = (4.0 * q - old) * third
                flow_next[j, s] = 2.0 * q - old
        for t in range(n_beds):
            i = beds[t]
            for s in range(LANES):
                p = pressure_star[i, s] + rise[i, s]
                c = bed_keep[t, s] * store_star[t, s] + bed_push[t, s] * p
                c += bed_rest[t, s]
                store_star[t, s] = (4.0 * c - store[t, s]) * third
                store[t, s] = c
        for i in range(n_nodes):
            for s in range(LANES):
                g = admit[i, s] * rise[i, s]
                gain_next[i, s] = 2.0 * g - gain[i, s]
                gain[i, s] = g
                v = volume_star[i, s] + step_size[s] * g
                volume_star[i, s] = (4.0 * v - volume[i, s]) * third
                volume[i, s] = v
                p = (math.sqrt(k1[i, s] + k4[i, s] * v) - c1[i, s]) * half[i, s]
                old = pressure[i, s]
                pressure_star[i, s] = (4.0 * p - old) * third
                pressure_next[i, s] = 2.0 * p - old
                pressure[i, s] = p
