"""Made-up costs for simulations."""
from hypothesis import strategies as st

from auglocal_mm.lab.parallel.costs import ModelCosts, ModuleCost


def module(seconds=3.0, *, bp=None, sent=0.0, trained=0.0, kept=0.0, **others):
    """A module whose back-propagation takes `bp` seconds, a third of them forward."""
    bp = seconds if bp is None else bp
    values = dict(name='unit', seconds=seconds, bp_forward=bp / 3, bp_backward=2 * bp / 3,
                  boundary_bytes=sent, parameter_bytes=trained, bp_parameter_bytes=trained,
                  kept_bytes=kept, bp_kept_bytes=kept)
    return ModuleCost(**{**values, **others})


def model(*modules, batch_size=64, **others):
    return ModelCosts(modules=modules, batch_size=batch_size, units=len(modules), depth=1,
                      **others)


def equal(count, seconds=3.0, **others):
    return model(*[module(seconds, **others) for _ in range(count)])


@st.composite
def models(draw, most=5):
    value = st.floats(0.1, 5.0)
    return model(*[module(draw(value), bp=draw(value), sent=draw(value), trained=draw(value))
                   for _ in range(draw(st.integers(1, most)))])


@st.composite
def networks(draw):
    from auglocal_mm.lab.parallel.network import Network
    return Network(bandwidth=draw(st.floats(0.5, 50.0)), latency=draw(st.floats(0.0, 0.5)),
                   rendezvous=draw(st.booleans()))
