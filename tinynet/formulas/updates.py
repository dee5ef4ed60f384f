"""Update rules: the new parameter, then the new slots, from the parameter p, its gradient g and the slots.

`step` counts from 1. Arithmetic among scalars is done in double, once a step.
"""

from tinynet.formulas.vocabulary import maximum, minimum, sqrt


def moving_average(average, value, *, rate=0.9):
    """rate average + (1 - rate) value: an exponential moving average."""
    return rate * average + (1.0 - rate) * value


def sgd(p, g, *, learning_rate=0.01):
    """p - learning_rate g: gradient descent (Cauchy 1847), on a batch (Robbins and Monro 1951)."""
    return p - learning_rate * g


def sgd_momentum(p, g, m, *, learning_rate=0.01, momentum=0.9):
    """Gradient descent with momentum (Polyak 1964), in Keras's form: the learning rate stands inside m."""
    m_new = momentum * m - learning_rate * g
    return p + m_new, m_new


def sgd_nesterov(p, g, m, *, learning_rate=0.01, momentum=0.9):
    """Nesterov's momentum (1983), in the form of Sutskever et al. (2013) after a change of variable, as in Keras."""
    m_new = momentum * m - learning_rate * g
    return p + momentum * m_new - learning_rate * g, m_new


def rmsprop(p, g, v, *, learning_rate=0.001, rho=0.9, epsilon=1e-7):
    """RMSprop (Tieleman and Hinton 2012, lecture 6.5); epsilon inside the root, as in Keras 3."""
    v_new = moving_average(v, g**2, rate=rho)
    return p - learning_rate * g / sqrt(v_new + epsilon), v_new


def rmsprop_momentum(p, g, v, m, *, learning_rate=0.001, rho=0.9, momentum=0.9, epsilon=1e-7):
    """RMSprop whose steps gather momentum, as in Keras 3."""
    v_new = moving_average(v, g**2, rate=rho)
    m_new = momentum * m + learning_rate * g / sqrt(v_new + epsilon)
    return p - m_new, v_new, m_new


def adam_step(m, v, *, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, step=1.0):
    """The step that Adam takes from its two averages, corrected for their start at zero."""
    corrected_rate = learning_rate * (1.0 - beta_2**step) ** 0.5 / (1.0 - beta_1**step)
    return corrected_rate * m / (sqrt(v) + epsilon)


def adam(p, g, m, v, *, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, step=1.0):
    """Adam (Kingma and Ba 2015), in the form given just before their Section 2.1, where epsilon is not corrected; this
    form and epsilon are Keras's.
    """
    m_new = moving_average(m, g, rate=beta_1)
    v_new = moving_average(v, g**2, rate=beta_2)
    change = adam_step(
        m_new, v_new, learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, step=step
    )
    return p - change, m_new, v_new


def adam_amsgrad(p, g, m, v, peak, *, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, step=1.0):
    """Adam whose steps are divided by the greatest v so far (AMSGrad: Reddi, Kale and Kumar 2018), as in Keras."""
    m_new = moving_average(m, g, rate=beta_1)
    v_new = moving_average(v, g**2, rate=beta_2)
    peak_new = maximum(peak, v_new)
    change = adam_step(
        m_new, peak_new, learning_rate=learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, step=step
    )
    return p - change, m_new, v_new, peak_new


def decay(p, g, *, learning_rate=0.001, weight_decay=0.004):
    """Decoupled weight decay (Loshchilov and Hutter 2019): p - learning_rate weight_decay p, before any rule; after it
    Adam is AdamW. The gradient has no part in it.
    """
    return p - learning_rate * weight_decay * p


def clip_by_value(g, *, limit=1.0):
    """g held between -limit and limit."""
    return maximum(minimum(g, limit), -limit)


def clip_by_norm(g, square_norm, *, limit=1.0):
    """g, shortened to the norm `limit` where it is longer (Pascanu, Mikolov and Bengio 2013)."""
    return g * (limit / maximum(sqrt(square_norm), limit))
